//! A body that is watched while it is sent or received.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// The result of polling a body for its next frame.
pub type Polled = Poll<Option<Result<Frame<Bytes>, axum::Error>>>;

/// Passes each result of polling `body` through `watch`, which may replace it. `watch` also sees the rest of the body.
pub fn watched<F>(body: Body, watch: F) -> Body
where
    F: FnMut(&mut Context<'_>, &Body, Polled) -> Polled + Send + Unpin + 'static,
{
    Body::new(Watched { body, watch })
}

struct Watched<F> {
    body: Body,
    watch: F,
}

impl<F> http_body::Body for Watched<F>
where
    F: FnMut(&mut Context<'_>, &Body, Polled) -> Polled + Unpin,
{
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Polled {
        let this = &mut *self;
        let polled = Pin::new(&mut this.body).poll_frame(context);
        (this.watch)(context, &this.body, polled)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
