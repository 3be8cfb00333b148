//! `vod env`: prints the environment for the AWS CLI, SDKs and other programs to use the local stack.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;

use vod_state::endpoints::Endpoints;

use crate::output;
use crate::stack::{Choice, endpoints};

/// Print the environment variables for using the local stack with the AWS CLI and SDKs: eval "$(vod env)"
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print a JSON object instead of lines for a POSIX shell
    #[arg(long)]
    json: bool,
}

/// Runs `vod env`.
pub(crate) fn run(choice: &Choice, args: &Args) -> anyhow::Result<()> {
    choice.local_only("env", "the AWS CLI uses a stack on AWS with your own credentials")?;
    let endpoints = endpoints(&choice.state)?;
    let variables = variables(&endpoints);
    if args.json {
        let object = BTreeMap::from(variables);
        return output::json(&object);
    }
    if std::io::stdout().is_terminal() {
        output::note(&format!(
            "# To set these variables in this shell: eval \"$(vod env{})\"",
            choice.options()
        ));
    }
    for (name, value) in variables {
        output::line(&format!("export {name}={}", quoted(value)))?;
    }
    // One of other credentials would be sent along with these.
    output::line("unset AWS_SESSION_TOKEN")
}

fn variables(endpoints: &Endpoints) -> [(&'static str, &str); 5] {
    [
        ("AWS_ACCESS_KEY_ID", &endpoints.access_key),
        ("AWS_SECRET_ACCESS_KEY", &endpoints.secret_key),
        ("AWS_REGION", &endpoints.region),
        // The AWS CLI reads this one, the SDKs the other.
        ("AWS_DEFAULT_REGION", &endpoints.region),
        ("AWS_ENDPOINT_URL", &endpoints.api),
    ]
}

/// Quotes a text as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        for text in ["", "plain", "it's", "$(id) `id` \"x\" \\ a;b\nc"] {
            let mut shell = std::process::Command::new("sh");
            let ran = shell
                .arg("-c")
                .arg(format!("printf %s {}", quoted(text)))
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(ran.stdout).unwrap(), text);
        }
    }
}
