//! A verb's body with its types put aside, so that what runs it is compiled once and not again for each of the verbs.

use std::sync::Arc;

use futures::future::{BoxFuture, ready};
use tokio::sync::oneshot;

use super::{StoreError, Tx};
use crate::request::{self, Request};
use crate::telemetry;

/// What a verb is called in metrics and log.
#[derive(Clone, Copy)]
pub(super) struct Told {
    /// `read` or `write`.
    kind: &'static str,
    name: &'static str,
}

/// Something to be run in a transaction. The database's side of it knows no more than whether it went well.
pub(super) trait Work: Send {
    /// None for what is no verb: a ping, a migration.
    fn told(&self) -> Option<Told>;

    /// Runs it, each time from the start, and says whether it went well.
    fn run<'r>(&'r mut self, tx: &'r mut Tx<'_>) -> BoxFuture<'r, bool>;
}

/// Work that is handed to another thread, and answers from there.
pub(super) trait Job: Work {
    /// The request that it is part of.
    fn request(&self) -> Option<Arc<Request>>;

    /// Answers whoever waits, now that it is known whether what was done is kept.
    fn answer(self: Box<Self>, kept: Result<(), StoreError>);
}

/// Runs work, under its name if it has one.
pub(super) async fn run(work: &mut dyn Work, tx: &mut Tx<'_>) -> bool {
    match work.told() {
        Some(Told { kind, name }) => telemetry::transaction(kind, name, work.run(tx)).await,
        None => work.run(tx).await,
    }
}

/// A body whose outcome stays with it.
pub(super) struct Body<F, T, E> {
    told: Option<Told>,
    /// None once it ran for good.
    verb: Option<F>,
    outcome: Option<Result<T, E>>,
}

/// A body that sends its outcome to its caller.
struct Sent<F, T, E> {
    body: Body<F, T, E>,
    request: Option<Arc<Request>>,
    caller: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Body<F, T, E>
where
    T: Send,
    E: From<StoreError> + Send,
    F: for<'t, 'c> FnOnce(&'t mut Tx<'c>) -> BoxFuture<'t, Result<T, E>> + Clone + Send,
{
    pub(super) fn new(kind: &'static str, name: Option<&'static str>, verb: F) -> Body<F, T, E> {
        Body { told: name.map(|name| Told { kind, name }), verb: Some(verb), outcome: None }
    }

    /// What the last run came to, unless what it did was not kept.
    pub(super) fn outcome(self, kept: Result<(), StoreError>) -> Result<T, E> {
        kept?;
        let none = || StoreError::Unexpected("a verb ended without an outcome".to_owned());
        self.outcome.unwrap_or_else(|| Err(none().into()))
    }

    /// This as a job for another thread, and where its answer comes.
    pub(super) fn sent(self) -> (Box<dyn Job>, oneshot::Receiver<Result<T, E>>)
    where
        F: 'static,
        T: 'static,
        E: 'static,
    {
        let (caller, answer) = oneshot::channel();
        (Box::new(Sent { body: self, request: request::current(), caller }), answer)
    }
}

impl<F, T, E> Work for Body<F, T, E>
where
    T: Send,
    E: Send,
    F: for<'t, 'c> FnOnce(&'t mut Tx<'c>) -> BoxFuture<'t, Result<T, E>> + Clone + Send,
{
    fn told(&self) -> Option<Told> {
        self.told
    }

    fn run<'r>(&'r mut self, tx: &'r mut Tx<'_>) -> BoxFuture<'r, bool> {
        self.outcome = None;
        // Only a database that runs transactions side by side has one begin again.
        let verb = if tx.is_concurrent() { self.verb.clone() } else { self.verb.take() };
        let Some(verb) = verb else { return Box::pin(ready(false)) };
        let (run, outcome) = (verb(tx), &mut self.outcome);
        Box::pin(async move { outcome.insert(run.await).is_ok() })
    }
}

impl<F, T, E> Work for Sent<F, T, E>
where
    Body<F, T, E>: Work,
    T: Send,
    E: Send,
{
    fn told(&self) -> Option<Told> {
        self.body.told()
    }

    fn run<'r>(&'r mut self, tx: &'r mut Tx<'_>) -> BoxFuture<'r, bool> {
        self.body.run(tx)
    }
}

impl<F, T, E> Job for Sent<F, T, E>
where
    T: Send,
    E: From<StoreError> + Send,
    F: for<'t, 'c> FnOnce(&'t mut Tx<'c>) -> BoxFuture<'t, Result<T, E>> + Clone + Send,
{
    fn request(&self) -> Option<Arc<Request>> {
        self.request.clone()
    }

    fn answer(self: Box<Self>, kept: Result<(), StoreError>) {
        let Sent { body, caller, .. } = *self;
        // A caller that went away does not need its answer.
        let _ = caller.send(body.outcome(kept));
    }
}
