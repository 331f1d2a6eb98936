//! The request that a task works for: its id, and what is learnt of it on the way, for the log and the metrics.
//!
//! Whoever takes a request in makes a [`Request`] and runs everything below it in [`Request::run`]. A door that knows better
//! than the path which operation it is says so with [`operation`]; the tenant and the key are noted when a verb asks a caller
//! for its right. Outside of a request (in a worker, in most tests) all of this does nothing.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use otaru_model::Id;
use tracing::Span;

use crate::app::Error;
use crate::clock::random;
use crate::gate::{Gate, Inside};

tokio::task_local! {
    static CURRENT: Arc<Request>;
}

/// One request, from its head to the last byte of its answer.
#[derive(Debug)]
pub struct Request {
    id: [u8; 16],
    door: &'static str,
    span: Span,
    operation: OnceLock<&'static str>,
    tenant: OnceLock<Id>,
    tenants: Gate<Id>,
    place: OnceLock<Inside<Id>>,
    was_crowded: AtomicBool,
}

impl Request {
    /// `span` has the empty fields `operation`, `tenant` and `key`; `tenants` is how many requests of one tenant are taken.
    pub fn new(id: [u8; 16], door: &'static str, span: Span, tenants: Gate<Id>) -> Request {
        Request {
            id,
            door,
            span,
            operation: OnceLock::new(),
            tenant: OnceLock::new(),
            tenants,
            place: OnceLock::new(),
            was_crowded: AtomicBool::new(false),
        }
    }

    /// Runs `work` as work for this request.
    pub async fn run<F: Future>(self: Arc<Self>, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }

    /// Runs something short as work for this request.
    pub fn run_now<T>(self: &Arc<Self>, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(Arc::clone(self), || self.span.in_scope(work))
    }

    pub fn span(&self) -> &Span {
        &self.span
    }

    pub fn door(&self) -> &'static str {
        self.door
    }

    /// The operation that the door named, if it did.
    pub fn operation(&self) -> Option<&'static str> {
        self.operation.get().copied()
    }

    /// Whether it was refused because its tenant has too many under way.
    pub fn was_crowded(&self) -> bool {
        self.was_crowded.load(Relaxed)
    }

    fn is_by(&self, tenant: &Id, key_id: Option<&str>) -> Result<(), Error> {
        if self.tenant.set(*tenant).is_ok() {
            self.span.record("tenant", tracing::field::display(tenant));
            if let Some(key_id) = key_id {
                self.span.record("key", key_id);
            }
            match self.tenants.enter(tenant) {
                Some(place) => {
                    let _ = self.place.set(place);
                }
                None => {
                    self.was_crowded.store(true, Relaxed);
                    crate::telemetry::refused(self.door, "tenant_requests");
                }
            }
        }
        if self.was_crowded() {
            return Err(Error::Unavailable(
                "too many requests of this tenant at once; try again in a moment".to_owned(),
            ));
        }
        Ok(())
    }
}

/// A new id in the form of a random UUID (RFC 9562, version 4).
pub fn new_id() -> [u8; 16] {
    let mut id: [u8; 16] = random();
    id[6] = id[6] & 0x0f | 0x40;
    id[8] = id[8] & 0x3f | 0x80;
    id
}

/// The id of the request that this task works for; a new one where there is none.
pub fn id() -> [u8; 16] {
    CURRENT.try_with(|request| request.id).unwrap_or_else(|_| new_id())
}

/// An id as text: lower case, in groups.
pub fn id_text(id: [u8; 16]) -> String {
    let digits = format!("{:032x}", u128::from_be_bytes(id));
    format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..])
}

/// Names the operation, where the path does not tell it.
pub fn operation(name: &'static str) {
    let _ = CURRENT.try_with(|request| {
        if request.operation.set(name).is_ok() {
            request.span.record("operation", name);
        }
    });
}

/// The door that the request came in by.
pub fn door() -> &'static str {
    CURRENT.try_with(|request| request.door).unwrap_or("none")
}

/// Notes for whom the request is. Refuses it if that tenant has too many under way.
pub(crate) fn is_by(tenant: &Id, key_id: Option<&str>) -> Result<(), Error> {
    CURRENT.try_with(|request| request.is_by(tenant, key_id)).unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests {
    use otaru_model::Role;

    use super::*;
    use crate::app::Caller;

    fn request(tenants: &Gate<Id>) -> Arc<Request> {
        Arc::new(Request::new(new_id(), "test", Span::none(), tenants.clone()))
    }

    #[test]
    fn an_id_is_a_random_uuid() {
        let text = id_text(new_id());
        assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert_eq!(&text[14..15], "4");
        assert!(matches!(&text[19..20], "8" | "9" | "a" | "b"), "{text}");
        assert_ne!(new_id(), new_id());
        assert_eq!(id_text([0x0f; 16]), "0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0f0f");
    }

    #[tokio::test]
    async fn what_works_for_a_request_knows_its_id() {
        let request = request(&Gate::new(0));
        let ours = request.id;
        let seen = Arc::clone(&request).run(async { (id(), id(), door()) }).await;
        assert_eq!(seen, (ours, ours, "test"));
        assert_ne!(id(), ours, "outside there is none");
        operation("Unheard");
        request.run_now(|| operation("Heard"));
        assert_eq!(request.operation(), Some("Heard"));
    }

    #[tokio::test]
    async fn a_tenant_has_only_so_many_requests_at_once() {
        let tenants = Gate::new(1);
        let (ours, theirs) = (Id::from_bytes([1; 12]), Id::from_bytes([2; 12]));
        let caller = |tenant| Caller::new(tenant, "key", Role::Viewer);
        let ask = |tenant: Id| caller(tenant).require(otaru_model::Right::Read);
        let (first, second, other) = (request(&tenants), request(&tenants), request(&tenants));
        first.run_now(|| ask(ours)).unwrap();
        first.run_now(|| ask(ours)).expect("a request takes one place, however many verbs it calls");
        other.run_now(|| ask(theirs)).unwrap();
        assert!(matches!(second.run_now(|| ask(ours)), Err(Error::Unavailable(_))));
        assert!(matches!(second.run_now(|| ask(ours)), Err(Error::Unavailable(_))), "it stays refused");
        assert!(second.was_crowded() && !first.was_crowded());
        drop(first);
        request(&tenants).run_now(|| ask(ours)).unwrap();
    }
}
