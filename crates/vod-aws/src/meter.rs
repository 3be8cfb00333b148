//! The sink for outcomes: lines for `CloudWatch` on Lambda, counters on one machine.

use std::fmt;
use std::io::{self, Write as _};
use std::sync::Arc;

use vod_core::metrics::{self, Outcome};

type Sink = dyn Fn(&Outcome) + Send + Sync;

/// Sink for outcomes; does nothing by default. Cheap to clone.
#[derive(Clone, Default)]
pub struct Meter(Option<Arc<Sink>>);

impl Meter {
    /// A meter that passes outcomes to `sink`.
    pub fn new(sink: impl Fn(&Outcome) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(sink)))
    }

    /// Writes one line of the Embedded Metric Format to standard output, which Lambda collects.
    ///
    /// It does not use `tracing`, because `CloudWatch` requires `_aws` at the top of the object, not inside a log's fields.
    pub fn emf(application: &str) -> Self {
        let application = application.to_owned();
        Self::new(move |outcome| {
            let mut line = metrics::emf_line(outcome, &application, crate::now());
            line.push('\n');
            // One write under the lock that log lines take too, so that lines never mix.
            let mut stdout = io::stdout().lock();
            let written = stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush());
            drop(stdout);
            if let Err(error) = written {
                tracing::warn!(%error, "a metric was not written");
            }
        })
    }

    /// Whether there is a sink.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Reports an outcome. Call it once, after the outcome was written to the record.
    pub fn tell(&self, outcome: &Outcome) {
        if let Some(sink) = &self.0 {
            sink(outcome);
        }
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meter")
    }
}
