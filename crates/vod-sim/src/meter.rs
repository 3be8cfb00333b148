//! Checks that the functions count no outcome twice, whatever goes wrong.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use vod_aws::Meter;
use vod_core::metrics::What;

use crate::world::World;

/// A meter that reports a problem if an outcome is counted twice.
pub(crate) fn meter(world: &World) -> Meter {
    let (world, seen) = (world.clone(), Mutex::new(HashSet::new()));
    Meter::new(move |outcome| {
        let what = match outcome.what {
            What::Submitted { .. } => "submitted",
            What::Completed(_) => "completed",
            // A message that was given up can be given up again, and reconcile finds again what it cannot repair.
            What::Failed { .. } | What::Canceled | What::Ignored | What::Reconciled { .. } => return,
        };
        let Some(subject) = &outcome.subject else { return };
        let once = (
            subject.asset.clone(),
            subject.template.clone(),
            subject.attempt,
            what,
        );
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.insert(once) {
            let asset = &subject.asset;
            let twice = format!("{asset}: {what} was counted twice");
            world.state().violations.push(twice);
        }
    })
}
