//! Manages the keys of a stack on AWS. [`Ring`] decides the next step; this module executes it, one call at a time.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use serde_json::json;
use vod_core::cloudfront::Algorithm;
use vod_core::cloudfront::ring::{Ring, Slot, SlotName, Stage, Step};
use vod_state::keys::{random_hex, signing_key};

use super::secret::{Described, Secret};
use super::{next, print};
use crate::aws::Aws;
use crate::output::note;
use crate::stack::cloud::{self, Description};
use crate::stack::update::Update;

/// Maximum validity of a signed link in seconds: 7 days.
const LONGEST_LINK: i64 = 7 * 86_400;

/// One run of `vod keys --stack`.
#[derive(Debug)]
pub(super) struct Session {
    aws: Aws,
    stack: String,
    /// The options that select this stack, for commands to paste.
    options: String,
    plan: bool,
    json: bool,
}

/// The signing secret, and the keys that CloudFront trusts.
struct Keys {
    described: Option<Described>,
    ring: Ring,
    slots: Vec<Slot>,
}

impl Session {
    pub(super) fn new(aws: Aws, stack: &str, options: String, plan: bool, json: bool) -> Self {
        Self {
            aws,
            stack: stack.to_owned(),
            options,
            plan,
            json,
        }
    }

    pub(super) async fn show(&self) -> anyhow::Result<()> {
        let description = cloud::describe(&self.aws, &self.stack).await?;
        // A stack that is only being made has no keys yet.
        let description = description.filter(|stack| !stack.outputs.is_empty());
        let signing = self.signing();
        let described = signing.describe().await?;
        if described.as_ref().is_some_and(|secret| secret.is_deleted) {
            let stack = &self.stack;
            note(&format!(
                "the keys are scheduled for deletion: `infra/deploy.sh --stack {stack}` restores them"
            ));
            return self.print(&Ring::empty()).await;
        }
        let keys = self.read(&signing, described, description.as_ref()).await?;
        self.print(&keys.ring).await?;
        match self.foreign(&keys) {
            Some(problem) => note(&format!("warning: {problem}")),
            None => note(&next(&keys.ring, &self.stack, &self.options)),
        }
        Ok(())
    }

    /// Creates missing keys, and gives the keys the ids that CloudFront assigned.
    pub(super) async fn ensure(&self, algorithm: Algorithm) -> anyhow::Result<()> {
        let description = self.description().await?;
        let (signing, jwt) = (self.signing(), self.jwt());
        // Both are looked at before anything is changed.
        let (mut signing_is, mut jwt_is) = (signing.describe().await?, jwt.describe().await?);
        for (secret, is) in [(&signing, &mut signing_is), (&jwt, &mut jwt_is)] {
            if let Some(described) = is.as_mut().filter(|secret| secret.is_deleted) {
                note(&format!("• restoring {} from its deletion", secret.name));
                secret.restore().await?;
                described.is_deleted = self.plan;
            }
        }
        if signing_is.as_ref().is_some_and(|secret| secret.is_deleted) {
            note("its keys would be used again");
            return self.print(&Ring::empty()).await;
        }
        let mut keys = self.read(&signing, signing_is, description.as_ref()).await?;
        self.refuse_foreign(&keys)?;
        if keys.ring.keys.is_empty() {
            note(&format!("• creating the signing key ({algorithm})"));
            keys.ring.add(signing_key(pending(), algorithm)?);
            self.write(&signing, &keys).await?;
        }
        if jwt_is.as_ref().is_none_or(|secret| secret.current.is_none()) {
            note("• creating the key for viewer tokens");
            let about = format!("HS256 key of the tokens of viewers of the stack {}", self.stack);
            let key = random_hex()?;
            match jwt_is {
                Some(_) => jwt.put(&key).await?,
                None => jwt.create(&self.stack, &about, &key).await?,
            }
        }
        let settled = keys.ring.settled(&keys.slots);
        if settled != keys.ring {
            keys.ring = settled;
            keys.described = signing.describe().await?;
            self.write(&signing, &keys).await?;
        }
        self.print(&keys.ring).await
    }

    /// Creates a second key and signs with it as soon as all edges of CloudFront have it. Continues an interrupted run.
    pub(super) async fn rotate(&self, algorithm: Algorithm, spread: u64) -> anyhow::Result<()> {
        let (mut description, signing, mut keys) = self.existing().await?;
        match keys.ring.stage() {
            Stage::Rotated => bail!(
                "both slots are in use since the last rotation: run `vod keys retire{}` first",
                self.options
            ),
            Stage::Rotating => note("• continuing an interrupted rotation"),
            Stage::Empty | Stage::Steady => {}
        }
        loop {
            let step = keys.ring.next_of_rotation(&keys.slots);
            match step.with_context(|| format!("could not give stack `{}` a new key", self.stack))? {
                Step::Make => {
                    note(&format!("• creating a second key ({algorithm})"));
                    keys.ring.add(signing_key(pending(), algorithm)?);
                    self.write(&signing, &keys).await?;
                }
                Step::Publish(slot) => {
                    note(&format!("• giving CloudFront the public half (slot {slot:?})"));
                    let newest = keys
                        .ring
                        .keys
                        .last()
                        .map(|key| key.public_pem.trim_end().to_owned());
                    let value = newest.unwrap_or_default();
                    description = self.set(&description, slot, &value).await?;
                    keys.slots = slots(&description)?;
                }
                Step::Settle => {
                    keys.ring = keys.ring.settled(&keys.slots);
                    self.write(&signing, &keys).await?;
                }
                Step::Activate => {
                    self.spread(spread).await;
                    // Before the key signs: without its time an old key could never be retired.
                    signing.tag_activated().await?;
                    keys.ring.activate()?;
                    self.write(&signing, &keys).await?;
                }
                Step::Done => break,
            }
        }
        if self.plan {
            note("nothing was changed");
            return Ok(());
        }
        note(&format!(
            "the new key signs. Links signed with the old key stay valid; run `vod keys retire{}` after 7 days.",
            self.options
        ));
        self.print(&keys.ring).await
    }

    /// Removes the old key from CloudFront, then from the secret.
    pub(super) async fn retire(&self, now: bool) -> anyhow::Result<()> {
        let (description, signing, mut keys) = self.existing().await?;
        ensure!(
            keys.ring.stage() == Stage::Rotated,
            "there is no old key to retire: `vod keys show{}` lists the keys",
            self.options
        );
        let activated = keys.described.as_ref().and_then(|secret| secret.activated);
        if activated.is_none() && !now {
            note("the time of the last rotation is unknown: the 7 days start now");
            signing.tag_activated().await?;
        }
        let age = activated.map_or(0, |since| Timestamp::now().as_second() - since);
        if age < LONGEST_LINK && !now {
            let days = (LONGEST_LINK - age + 86_399) / 86_400;
            bail!(
                "links signed with the old key may be valid for {days} more days: wait, or revoke them with --now"
            );
        }
        let old = keys.ring.keys.first().context("there is no old key")?.clone();
        if let Some(slot) = Ring::slot_of(&keys.slots, &old) {
            note(&format!("• removing the old key from CloudFront (slot {slot:?})"));
            self.set(&description, slot, "").await?;
        }
        note("• removing it from the secret");
        keys.ring.remove(&old.id)?;
        self.write(&signing, &keys).await?;
        if self.plan {
            note("nothing was changed");
            return Ok(());
        }
        self.print(&keys.ring).await
    }

    fn secret(&self, name: &str) -> Secret<'_> {
        Secret {
            aws: &self.aws,
            name: format!("{}/{name}", self.stack),
            plan: self.plan,
        }
    }

    fn signing(&self) -> Secret<'_> {
        self.secret("signing")
    }

    fn jwt(&self) -> Secret<'_> {
        self.secret("jwt")
    }

    /// The stack, if it exists. A stack that is being changed or is stuck is an error.
    async fn description(&self) -> anyhow::Result<Option<Description>> {
        let found = cloud::describe(&self.aws, &self.stack).await?;
        match found {
            Some(description) if description.changeable()? => Ok(Some(description)),
            _ => Ok(None),
        }
    }

    /// The stack and its keys, which must both exist.
    async fn existing(&self) -> anyhow::Result<(Description, Secret<'_>, Keys)> {
        let description = cloud::existing(&self.aws, &self.stack).await?;
        if !description.changeable()? {
            description.oddity()?;
        }
        let signing = self.signing();
        let described = signing.describe().await?;
        if described.as_ref().is_some_and(|secret| secret.is_deleted) {
            bail!(
                "the secret `{}` is scheduled for deletion: `vod keys ensure{}` restores it",
                signing.name,
                self.options
            );
        }
        let keys = self.read(&signing, described, Some(&description)).await?;
        self.refuse_foreign(&keys)?;
        ensure!(
            !keys.ring.keys.is_empty(),
            "the stack has no keys: run `infra/deploy.sh --stack {}` first",
            self.stack
        );
        Ok((description, signing, keys))
    }

    async fn read(
        &self,
        signing: &Secret<'_>,
        described: Option<Described>,
        description: Option<&Description>,
    ) -> anyhow::Result<Keys> {
        let has_value = described.as_ref().is_some_and(|secret| secret.current.is_some());
        let ring = if has_value {
            parse(&signing.name, &signing.value().await?)?
        } else {
            Ring::empty()
        };
        Ok(Keys {
            described,
            ring,
            slots: description.map_or_else(|| Ok(Vec::new()), slots)?,
        })
    }

    async fn write(&self, signing: &Secret<'_>, keys: &Keys) -> anyhow::Result<()> {
        let value = serde_json::to_string(&keys.ring)?;
        if keys.described.is_some() {
            signing.put(&value).await?;
        } else {
            let about = format!(
                "Keys that sign what viewers of the stack {} may watch",
                self.stack
            );
            signing.create(&self.stack, &about, &value).await?;
        }
        Ok(())
    }

    /// Changes one slot of the stack.
    async fn set(
        &self,
        description: &Description,
        slot: SlotName,
        value: &str,
    ) -> anyhow::Result<Description> {
        let name = format!("PublicKey{slot:?}");
        Update {
            aws: &self.aws,
            plan: self.plan,
        }
        .set(description, &name, value)
        .await
    }

    async fn spread(&self, seconds: u64) {
        if self.plan {
            note(&format!(
                "would wait {seconds} s until all edges know the new key"
            ));
            return;
        }
        note(&format!("• waiting {seconds} s until all edges know it"));
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    fn refuse_foreign(&self, keys: &Keys) -> anyhow::Result<()> {
        match self.foreign(keys) {
            Some(problem) => bail!("{problem}; nothing was changed"),
            None => Ok(()),
        }
    }

    /// The problem and its fix if CloudFront would refuse new links, because the secret has none of its trusted keys.
    fn foreign(&self, keys: &Keys) -> Option<String> {
        if !keys.ring.is_foreign_to(&keys.slots) {
            return None;
        }
        let (stack, name) = (&self.stack, self.signing().name);
        let trusted: Vec<_> = keys.slots.iter().map(|slot| slot.id.as_str()).collect();
        let trusted = trusted.join(" and ");
        let versions = keys
            .described
            .as_ref()
            .map(|secret| (&secret.current, &secret.previous));
        Some(match versions {
            Some((Some(current), Some(previous))) => format!(
                "CloudFront trusts {trusted}, and the secret `{name}` does not have that key, so every new link would be \
                 refused. Restore the previous version, then start again: `aws secretsmanager \
                 update-secret-version-stage --secret-id {name} --version-stage AWSCURRENT --move-to-version-id \
                 {previous} --remove-from-version-id {current} --region {}`",
                self.aws.region()
            ),
            _ => format!(
                "CloudFront trusts {trusted}, and no version of the secret `{name}` has that key: it is lost. Create the \
                 stack again; videos stay: `infra/destroy.sh --stack {stack} --yes`, then `infra/deploy.sh --stack {stack}`"
            ),
        })
    }

    /// Prints the result: the keys; as JSON also the ARNs for the stack's parameters.
    async fn print(&self, ring: &Ring) -> anyhow::Result<()> {
        if !self.json {
            return print(ring, false, json!({}));
        }
        let arn = async |secret: Secret<'_>| {
            let described = secret.describe().await?;
            anyhow::Ok(described.map(|secret| secret.arn))
        };
        let (signing, jwt) = (arn(self.signing()).await?, arn(self.jwt()).await?);
        print(
            ring,
            true,
            json!({ "signing_secret": signing, "jwt_secret": jwt }),
        )
    }
}

/// The keys in the value of a signing secret. Errors do not quote it.
fn parse(name: &str, value: &str) -> anyhow::Result<Ring> {
    serde_json::from_str(value).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        anyhow::anyhow!(
            "the secret `{name}` is not in the format of `vod keys` (line {line}, column {column}): restore an earlier \
             version of it (AWSPREVIOUS)"
        )
    })
}

/// The public keys of a stack in CloudFront.
fn slots(description: &Description) -> anyhow::Result<Vec<Slot>> {
    let mut found = Vec::new();
    for name in [SlotName::One, SlotName::Two] {
        let key = description.parameters.get(&format!("PublicKey{name:?}"));
        let Some(public_pem) = key.filter(|key| !key.trim().is_empty()) else {
            continue;
        };
        let output = format!("Key{name:?}Id");
        let id = description.outputs.get(&output).with_context(|| {
            format!(
                "stack `{}` has a key in slot {name:?} and no output {output}",
                description.name
            )
        })?;
        found.push(Slot {
            name,
            public_pem: public_pem.clone(),
            id: id.clone(),
        });
    }
    Ok(found)
}

/// The temporary id of a key until CloudFront assigns one.
fn pending() -> String {
    Timestamp::now().strftime("pending-%Y%m%d%H%M%S").to_string()
}
