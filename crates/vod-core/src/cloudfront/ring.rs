//! Edits the signing secret: the order in which keys are added and removed.
//!
//! A stack has two slots for public keys. A rotation adds a key to the secret, gives its public half to the free slot,
//! and signs with it once every edge knows it. Later the old key leaves its slot, then the secret. Each step is found
//! from the secret and the slots alone, so a rotation that was interrupted goes on where it was.

use serde::{Deserialize, Serialize};

use super::keys::Algorithm;

/// The signing secret. It has no `Debug`, because it holds private keys.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ring {
    /// Id of the key that signs.
    pub active: String,
    /// All keys, the oldest first.
    pub keys: Vec<RingKey>,
}

/// One key of the signing secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RingKey {
    /// The id that CloudFront gave to the public half, or one of ours until it has.
    pub id: String,
    /// The kind of key.
    pub algorithm: Algorithm,
    /// The private half (PKCS#8); a key that only verifies may lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_pem: Option<String>,
    /// The public half (SPKI).
    pub public_pem: String,
}

/// The progress of the latest rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// There is no key.
    Empty,
    /// One key, which signs.
    Steady,
    /// A newer key waits until it may sign.
    Rotating,
    /// The newest key signs; older ones still verify.
    Rotated,
}

/// The name of a slot of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum SlotName {
    /// `PublicKeyOne`.
    One,
    /// `PublicKeyTwo`.
    Two,
}

/// A public key that a stack has given to CloudFront.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The slot's name.
    pub name: SlotName,
    /// The key.
    pub public_pem: String,
    /// CloudFront's id of it.
    pub id: String,
}

/// The next step of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Make a key and add it to the secret.
    Make,
    /// Give the public half of the newest key to this slot.
    Publish(SlotName),
    /// Give the keys in the secret the ids that CloudFront gave them.
    Settle,
    /// Wait until every edge knows the newest key, then sign with it.
    Activate,
    /// Nothing is left to do.
    Done,
}

/// A reason why a ring cannot be changed as requested.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// There is no key to replace.
    #[error("the secret has no keys")]
    Empty,
    /// No slot is free for a new key.
    #[error("both key slots of the stack are full")]
    Full,
    /// The key that signs cannot be removed.
    #[error("key `{0}` is the active one; make another first")]
    Active(String),
    /// No key has this id.
    #[error("no key has the id `{0}`")]
    Unknown(String),
}

impl RingKey {
    fn is(&self, public_pem: &str) -> bool {
        without_spaces(&self.public_pem).eq(without_spaces(public_pem))
    }
}

fn without_spaces(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|c| !c.is_whitespace())
}

impl Ring {
    /// A secret without keys.
    pub fn empty() -> Self {
        Self {
            active: String::new(),
            keys: Vec::new(),
        }
    }

    /// The progress of the latest rotation.
    pub fn stage(&self) -> Stage {
        match self.keys.as_slice() {
            [] => Stage::Empty,
            [_] => Stage::Steady,
            [.., last] if last.id == self.active => Stage::Rotated,
            _ => Stage::Rotating,
        }
    }

    /// Adds a key. The first one signs at once, a later one when [`Ring::activate`] is called.
    pub fn add(&mut self, key: RingKey) {
        if self.keys.is_empty() {
            self.active.clone_from(&key.id);
        }
        self.keys.push(key);
    }

    /// Signs with the newest key from now on.
    pub fn activate(&mut self) -> Result<(), RingError> {
        let last = self.keys.last().ok_or(RingError::Empty)?;
        self.active.clone_from(&last.id);
        Ok(())
    }

    /// Removes a key that does not sign.
    pub fn remove(&mut self, id: &str) -> Result<(), RingError> {
        if self.active == id {
            return Err(RingError::Active(id.to_owned()));
        }
        let before = self.keys.len();
        self.keys.retain(|key| key.id != id);
        if self.keys.len() == before {
            return Err(RingError::Unknown(id.to_owned()));
        }
        Ok(())
    }

    /// The ring with the ids that CloudFront gave to its keys.
    #[must_use]
    pub fn settled(&self, slots: &[Slot]) -> Self {
        let mut ring = self.clone();
        for key in &mut ring.keys {
            let Some(slot) = slots.iter().find(|slot| key.is(&slot.public_pem)) else {
                continue;
            };
            if ring.active == key.id {
                ring.active.clone_from(&slot.id);
            }
            key.id.clone_from(&slot.id);
        }
        ring
    }

    /// The slot that holds the public half of this key.
    pub fn slot_of(slots: &[Slot], key: &RingKey) -> Option<SlotName> {
        let slot = slots.iter().find(|slot| key.is(&slot.public_pem))?;
        Some(slot.name)
    }

    /// Whether CloudFront trusts keys, none of which is in the secret: every new link would be refused.
    pub fn is_foreign_to(&self, slots: &[Slot]) -> bool {
        let is_known = |slot: &Slot| self.keys.iter().any(|key| key.is(&slot.public_pem));
        !slots.is_empty() && !slots.iter().any(is_known)
    }

    /// The next step of a rotation.
    pub fn next_of_rotation(&self, slots: &[Slot]) -> Result<Step, RingError> {
        let newest = match (self.stage(), self.keys.last()) {
            (Stage::Empty, _) | (_, None) => return Err(RingError::Empty),
            (Stage::Steady, _) => return Ok(Step::Make),
            (Stage::Rotated, _) => return Ok(Step::Done),
            (Stage::Rotating, Some(newest)) => newest,
        };
        if Self::slot_of(slots, newest).is_none() {
            let is_free = |name: &SlotName| slots.iter().all(|slot| slot.name != *name);
            let free = [SlotName::One, SlotName::Two].into_iter().find(is_free);
            return free.map(Step::Publish).ok_or(RingError::Full);
        }
        Ok(if self.settled(slots) == *self {
            Step::Activate
        } else {
            Step::Settle
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, public: &str) -> RingKey {
        RingKey {
            id: id.to_owned(),
            algorithm: Algorithm::Es256,
            private_pem: Some(format!("private {public}")),
            public_pem: format!("{public}\n"),
        }
    }

    fn ring(active: &str, keys: &[(&str, &str)]) -> Ring {
        Ring {
            active: active.to_owned(),
            keys: keys.iter().map(|(id, public)| key(id, public)).collect(),
        }
    }

    fn slots(one: Option<&str>, two: Option<&str>) -> Vec<Slot> {
        let slot = |name, public: Option<&str>| {
            public.map(|public| Slot {
                name,
                public_pem: public.to_owned(),
                id: format!("K{}", public.to_uppercase()),
            })
        };
        let all = [slot(SlotName::One, one), slot(SlotName::Two, two)];
        all.into_iter().flatten().collect()
    }

    #[test]
    fn each_state_of_a_rotation_has_its_next_step() {
        let (one, two) = (Some("a"), Some("b"));
        for (ring, slots, expected) in [
            (Ring::empty(), slots(None, None), Err(RingError::Empty)),
            (ring("KA", &[("KA", "a")]), slots(one, None), Ok(Step::Make)),
            // Into the slot that is free, whichever it is.
            (
                ring("KA", &[("KA", "a"), ("pending-1", "b")]),
                slots(one, None),
                Ok(Step::Publish(SlotName::Two)),
            ),
            (
                ring("KB", &[("KB", "b"), ("pending-1", "c")]),
                slots(None, two),
                Ok(Step::Publish(SlotName::One)),
            ),
            (
                ring("KA", &[("KA", "a"), ("pending-1", "c")]),
                slots(one, two),
                Err(RingError::Full),
            ),
            (
                ring("KA", &[("KA", "a"), ("pending-1", "b")]),
                slots(one, two),
                Ok(Step::Settle),
            ),
            (
                ring("KA", &[("KA", "a"), ("KB", "b")]),
                slots(one, two),
                Ok(Step::Activate),
            ),
            (
                ring("KB", &[("KA", "a"), ("KB", "b")]),
                slots(one, two),
                Ok(Step::Done),
            ),
        ] {
            let ids: Vec<_> = ring.keys.iter().map(|key| key.id.as_str()).collect();
            assert_eq!(ring.next_of_rotation(&slots), expected, "{ids:?} {slots:?}");
        }
    }

    /// Whatever a rotation is interrupted at, the key that signs is one that CloudFront trusts.
    #[test]
    fn a_rotation_reaches_its_end_and_never_signs_with_an_unknown_key() {
        let mut ring = ring("KA", &[("KA", "a")]);
        let mut known = slots(Some("a"), None);
        let mut steps = Vec::new();
        loop {
            let step = ring.next_of_rotation(&known).unwrap();
            steps.push(step.clone());
            match step {
                Step::Make => ring.add(key("pending-1", "b")),
                Step::Publish(SlotName::Two) => known = slots(Some("a"), Some("b")),
                Step::Publish(SlotName::One) => panic!("slot One is taken"),
                Step::Settle => ring = ring.settled(&known),
                Step::Activate => ring.activate().unwrap(),
                Step::Done => break,
            }
            assert!(
                known.iter().any(|slot| slot.id == ring.active),
                "{} after {steps:?}",
                ring.active
            );
        }
        assert_eq!(steps.len(), 5, "{steps:?}");
        assert_eq!((ring.active.as_str(), ring.keys.len()), ("KB", 2));
        ring.remove("KA").unwrap();
        assert_eq!(ring.stage(), Stage::Steady);
    }

    #[test]
    fn ids_are_cloudfronts_and_the_active_key_stays_active() {
        let known = slots(Some("a "), Some("b"));
        let settled = ring("pending-1", &[("pending-1", "a"), ("KB", "b"), ("KC", "c")]).settled(&known);
        let ids: Vec<_> = settled.keys.iter().map(|key| key.id.as_str()).collect();
        assert_eq!(ids, ["KA ", "KB", "KC"]);
        assert_eq!(settled.active, "KA ");
    }

    #[test]
    fn a_ring_is_foreign_if_the_stack_trusts_other_keys_only() {
        let own = ring("KA", &[("KA", "a"), ("KB", "b")]);
        for (ring, one, two, is_foreign) in [
            (&own, Some("a"), None, false),
            (&own, Some("x"), Some("b"), false),
            (&own, Some("x"), None, true),
            (&own, Some("x"), Some("y"), true),
            (&Ring::empty(), Some("a"), None, true),
            (&Ring::empty(), None, None, false),
            (&own, None, None, false),
        ] {
            assert_eq!(
                ring.is_foreign_to(&slots(one, two)),
                is_foreign,
                "{one:?} {two:?}"
            );
        }
    }

    #[test]
    fn the_active_key_cannot_be_removed() {
        let mut ring = ring("KA", &[("KA", "a"), ("KB", "b")]);
        assert_eq!(ring.remove("KA"), Err(RingError::Active("KA".to_owned())));
        assert_eq!(ring.remove("KC"), Err(RingError::Unknown("KC".to_owned())));
        assert_eq!(ring.remove("KB"), Ok(()));
        assert_eq!(Ring::empty().activate(), Err(RingError::Empty));
    }

    #[test]
    fn the_secret_reads_back_as_it_was_written() {
        let text = r#"{"active":"KA","keys":[{"id":"KA","algorithm":"ES256","private_pem":"p","public_pem":"a"},{"id":"KB","algorithm":"RS256","public_pem":"b"}]}"#;
        let ring: Ring = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&ring).unwrap(), text);
    }
}
