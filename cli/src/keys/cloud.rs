//! The keys of a stack on AWS. What comes next is decided by [`Ring`]; here it is done, one call at a time.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use serde_json::json;
use vod_core::cloudfront::Algorithm;
use vod_core::cloudfront::ring::{Ring, Slot, SlotName, Stage, Step};
use vod_local::secrets::{random_hex, signing_key};

use super::secret::{Described, Secret};
use super::{next, print};
use crate::aws::Aws;
use crate::output::note;
use crate::stack::cloud::{self, Description};
use crate::stack::update::Update;

/// The longest that a signed link is good, in seconds: 7 days.
const LONGEST_LINK: i64 = 7 * 86_400;

/// One run of `vod keys --stack`.
#[derive(Debug)]
pub(super) struct Session {
    aws: Aws,
    stack: String,
    /// The options that name this stack, for commands to paste.
    options: String,
    plan: bool,
    json: bool,
}

/// The signing secret and what CloudFront trusts.
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
                "the keys wait for their deletion: `infra/deploy.sh --stack {stack}` brings them back"
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

    /// Makes what is missing, and gives the keys the ids that CloudFront gave them.
    pub(super) async fn ensure(&self, algorithm: Algorithm) -> anyhow::Result<()> {
        let description = self.description().await?;
        let (signing, jwt) = (self.signing(), self.jwt());
        // Both are looked at before anything is changed.
        let (mut signing_is, mut jwt_is) = (signing.describe().await?, jwt.describe().await?);
        for (secret, is) in [(&signing, &mut signing_is), (&jwt, &mut jwt_is)] {
            if let Some(described) = is.as_mut().filter(|secret| secret.is_deleted) {
                note(&format!("• bringing {} back from its deletion", secret.name));
                secret.restore().await?;
                described.is_deleted = self.plan;
            }
        }
        if signing_is.as_ref().is_some_and(|secret| secret.is_deleted) {
            note("the keys in it would be used again");
            return self.print(&Ring::empty()).await;
        }
        let mut keys = self.read(&signing, signing_is, description.as_ref()).await?;
        self.refuse_foreign(&keys)?;
        if keys.ring.keys.is_empty() {
            note(&format!("• making the signing key ({algorithm})"));
            keys.ring.add(signing_key(pending(), algorithm)?);
            self.write(&signing, &keys).await?;
        }
        if jwt_is.as_ref().is_none_or(|secret| secret.current.is_none()) {
            note("• making the key of the viewers' tokens");
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

    /// Makes a second key and signs with it once CloudFront has it everywhere. Goes on where an earlier run stopped.
    pub(super) async fn rotate(&self, algorithm: Algorithm, spread: u64) -> anyhow::Result<()> {
        let (mut description, signing, mut keys) = self.existing().await?;
        match keys.ring.stage() {
            Stage::Rotated => bail!(
                "both slots are full since the last rotation: run `vod keys retire{}` first",
                self.options
            ),
            Stage::Rotating => note("• going on with a rotation that was interrupted"),
            Stage::Empty | Stage::Steady => {}
        }
        loop {
            let step = keys.ring.next_of_rotation(&keys.slots);
            match step.with_context(|| format!("stack `{}` gets no new key", self.stack))? {
                Step::Make => {
                    note(&format!("• making a second key ({algorithm})"));
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
            "the new key signs. What the old one signed stays good; run `vod keys retire{}` after 7 days.",
            self.options
        ));
        self.print(&keys.ring).await
    }

    /// Takes the old key from CloudFront, then from the secret.
    pub(super) async fn retire(&self, now: bool) -> anyhow::Result<()> {
        let (description, signing, mut keys) = self.existing().await?;
        ensure!(
            keys.ring.stage() == Stage::Rotated,
            "there is no old key to retire: `vod keys show{}` says what there is",
            self.options
        );
        let activated = keys.described.as_ref().and_then(|secret| secret.activated);
        if activated.is_none() && !now {
            note("it is not known when the last rotation was: the 7 days are counted from now");
            signing.tag_activated().await?;
        }
        let age = activated.map_or(0, |since| Timestamp::now().as_second() - since);
        if age < LONGEST_LINK && !now {
            let days = (LONGEST_LINK - age + 86_399) / 86_400;
            bail!("links of the old key may still be good for {days} days: wait, or stop them with --now");
        }
        let old = keys.ring.keys.first().context("there is no old key")?.clone();
        if let Some(slot) = Ring::slot_of(&keys.slots, &old) {
            note(&format!("• taking the old key from CloudFront (slot {slot:?})"));
            self.set(&description, slot, "").await?;
        }
        note("• taking it from the secret");
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

    /// The stack if it exists. One that is being changed, or is stuck, is an error.
    async fn description(&self) -> anyhow::Result<Option<Description>> {
        let found = cloud::describe(&self.aws, &self.stack).await?;
        match found {
            Some(description) if description.changeable()? => Ok(Some(description)),
            _ => Ok(None),
        }
    }

    /// The stack and its keys, both of which have to exist.
    async fn existing(&self) -> anyhow::Result<(Description, Secret<'_>, Keys)> {
        let description = cloud::existing(&self.aws, &self.stack).await?;
        if !description.changeable()? {
            description.oddity()?;
        }
        let signing = self.signing();
        let described = signing.describe().await?;
        if described.as_ref().is_some_and(|secret| secret.is_deleted) {
            bail!(
                "the secret `{}` waits for its deletion: `vod keys ensure{}` brings it back",
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
                "would wait {seconds} s until every edge knows the new key"
            ));
            return;
        }
        note(&format!("• waiting {seconds} s until every edge knows it"));
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    fn refuse_foreign(&self, keys: &Keys) -> anyhow::Result<()> {
        match self.foreign(keys) {
            Some(problem) => bail!("{problem}; nothing was changed"),
            None => Ok(()),
        }
    }

    /// Why new links would be refused, and the way back, if the secret has none of the keys that CloudFront trusts.
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
                 refused. Bring the version before back, then start again: `aws secretsmanager \
                 update-secret-version-stage --secret-id {name} --version-stage AWSCURRENT --move-to-version-id \
                 {previous} --remove-from-version-id {current} --region {}`",
                self.aws.region()
            ),
            _ => format!(
                "CloudFront trusts {trusted}, and no version of the secret `{name}` has that key: it is lost. Make the \
                 stack anew; videos stay: `infra/destroy.sh --stack {stack} --yes`, then `infra/deploy.sh --stack {stack}`"
            ),
        })
    }

    /// The result: for people the keys; as JSON also the ARNs that the stack's parameters name.
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

/// The keys in the value of a signing secret. Errors quote nothing of it.
fn parse(name: &str, value: &str) -> anyhow::Result<Ring> {
    serde_json::from_str(value).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        anyhow::anyhow!(
            "the secret `{name}` is not what `vod keys` writes (line {line}, column {column}): bring back an earlier \
             version of it (AWSPREVIOUS)"
        )
    })
}

/// The public keys that a stack has given to CloudFront.
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

/// The name under which a key waits until CloudFront has given it an id.
fn pending() -> String {
    Timestamp::now().strftime("pending-%Y%m%d%H%M%S").to_string()
}
