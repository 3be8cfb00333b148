//! Reads the parts of a stack on AWS from the outputs of `infra/template.yaml`.

use std::collections::BTreeMap;

use anyhow::bail;

use super::cloud::Description;

/// A stack's parts. Fields are named after the outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outputs {
    pub(crate) stack: String,
    pub(crate) bucket: String,
    pub(crate) output_bucket: String,
    pub(crate) url: String,
    pub(crate) distribution: String,
    pub(crate) jwt_secret: String,
    pub(crate) upload_queue: String,
    pub(crate) upload_queue_arn: String,
    pub(crate) upload_dead_letters: String,
    pub(crate) job_event_dead_letters: String,
    pub(crate) mediaconvert_queue: String,
    pub(crate) complete: String,
    pub(crate) signer: String,
    pub(crate) reconcile: String,
    /// The required `iss` and `aud` of a token.
    pub(crate) issuer: Option<String>,
    pub(crate) audience: Option<String>,
    /// An identity provider makes the tokens.
    pub(crate) has_provider: bool,
}

/// Reads outputs and records missing ones.
struct Reader<'a> {
    outputs: &'a BTreeMap<String, String>,
    missing: Vec<&'static str>,
}

impl Reader<'_> {
    fn take(&mut self, name: &'static str) -> String {
        let found = self.outputs.get(name).filter(|value| !value.is_empty());
        if found.is_none() {
            self.missing.push(name);
        }
        found.cloned().unwrap_or_default()
    }
}

impl Outputs {
    /// Reads the description of a stack; the missing outputs show whether it is a stack of another project.
    pub(crate) fn read(description: &Description) -> anyhow::Result<Self> {
        let mut reader = Reader {
            outputs: &description.outputs,
            missing: Vec::new(),
        };
        let parameter = |name: &str| {
            let value = description.parameters.get(name);
            value.filter(|value| !value.is_empty()).cloned()
        };
        let found = Self {
            stack: description.name.clone(),
            bucket: reader.take("Bucket"),
            output_bucket: reader.take("OutputBucket"),
            url: reader.take("Url").trim_end_matches('/').to_owned(),
            distribution: reader.take("DistributionId"),
            jwt_secret: reader.take("JwtSecretArn"),
            upload_queue: reader.take("UploadQueueUrl"),
            upload_queue_arn: reader.take("UploadQueueArn"),
            upload_dead_letters: reader.take("UploadDeadLettersUrl"),
            job_event_dead_letters: reader.take("JobEventDeadLettersUrl"),
            mediaconvert_queue: reader.take("MediaConvertQueueArn"),
            complete: reader.take("CompleteFunction"),
            signer: reader.take("SignerFunction"),
            reconcile: reader.take("ReconcileFunction"),
            issuer: parameter("AuthIssuer"),
            audience: parameter("AuthAudience"),
            has_provider: parameter("AuthJwksUrl").is_some(),
        };
        if reader.missing.is_empty() {
            return Ok(found);
        }
        let (stack, missing) = (&description.name, reader.missing.join(", "));
        if reader.missing.len() > 10 {
            bail!(
                "stack `{stack}` was not made from infra/template.yaml: it lacks the outputs {missing}; pass another with --stack"
            );
        }
        bail!(
            "stack `{stack}` was deployed by another version of this project: it lacks the outputs {missing}; \
             `infra/deploy.sh --stack {stack}` brings it up to date"
        );
    }

    /// The name on AWS of a function that the command invokes.
    pub(crate) fn function<'a>(&'a self, name: &'a str) -> &'a str {
        match name {
            "complete" => &self.complete,
            "signer" => &self.signer,
            "reconcile" => &self.reconcile,
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 13] = [
        "Bucket",
        "OutputBucket",
        "Url",
        "DistributionId",
        "JwtSecretArn",
        "UploadQueueUrl",
        "UploadQueueArn",
        "UploadDeadLettersUrl",
        "JobEventDeadLettersUrl",
        "MediaConvertQueueArn",
        "CompleteFunction",
        "SignerFunction",
        "ReconcileFunction",
    ];

    fn description() -> Description {
        let outputs = NAMES
            .iter()
            .map(|name| ((*name).to_owned(), format!("its {name}")));
        Description {
            name: "film".to_owned(),
            status: "CREATE_COMPLETE".to_owned(),
            outputs: outputs.collect(),
            ..Description::default()
        }
    }

    #[test]
    fn outputs_become_the_stacks_parts() {
        let mut description = description();
        description
            .outputs
            .insert("Url".to_owned(), "https://e.net/".to_owned());
        description
            .parameters
            .insert("AuthIssuer".to_owned(), "i".to_owned());
        description
            .parameters
            .insert("AuthAudience".to_owned(), String::new());
        let outputs = Outputs::read(&description).unwrap();
        assert_eq!(
            (outputs.url.as_str(), outputs.bucket.as_str()),
            ("https://e.net", "its Bucket")
        );
        assert_eq!(outputs.function("signer"), "its SignerFunction");
        assert_eq!(
            (outputs.issuer.as_deref(), outputs.audience, outputs.has_provider),
            (Some("i"), None, false)
        );
    }

    #[test]
    fn each_missing_output_is_named() {
        for (index, name) in NAMES.iter().enumerate() {
            let mut description = description();
            // One that is empty is as good as none.
            if index % 2 == 0 {
                description.outputs.remove(*name);
            } else {
                description.outputs.insert((*name).to_owned(), String::new());
            }
            let error = Outputs::read(&description).unwrap_err().to_string();
            assert!(
                error.contains(&format!("lacks the outputs {name};")),
                "{name}: {error}"
            );
            assert!(error.contains("infra/deploy.sh --stack film"), "{error}");
        }
        let error = Outputs::read(&Description {
            name: "x".to_owned(),
            ..Description::default()
        });
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("not made from infra/template.yaml") && error.contains("JwtSecretArn"),
            "{error}"
        );
    }

    /// A part without an output cannot be found, and an output that the template does not set is a typing error.
    #[test]
    fn the_template_has_each_of_them() {
        let template = include_str!("../../../infra/template.yaml");
        let (_, outputs) = template.split_once("\nOutputs:\n").unwrap();
        for name in NAMES {
            assert!(outputs.contains(&format!("  {name}: {{")), "{name}");
        }
    }
}
