//! The request that a task works for: its id, and what is learnt of it on the way, for the log and the metrics.
//!
//! Whoever takes a request in makes a [`Request`] and runs everything below it in [`Request::run`]. A door that knows better
//! than the path which operation it is says so with [`operation`]; the tenant and the key are noted when a verb asks a caller
//! for its right. Outside of a request (in a worker, in most tests) all of this does nothing.
//!
//! What is known here is written when a line of the log is, and not before: most requests need no line below them.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use otaru_model::Id;

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
    /// The client's address.
    peer: Option<IpAddr>,
    /// The route that its path is of.
    route: OnceLock<&'static str>,
    operation: OnceLock<&'static str>,
    /// The tenant that it is for, and the key that it was signed with.
    by: OnceLock<(Id, Option<Arc<str>>)>,
    tenants: Gate<Id>,
    place: OnceLock<Inside<Id>>,
    was_crowded: AtomicBool,
    body_bytes: AtomicU64,
}

impl Request {
    /// A new one, with an id of its own; `tenants` is how many requests of one tenant are taken.
    pub fn new(door: &'static str, peer: Option<IpAddr>, tenants: Gate<Id>) -> Request {
        Request {
            id: new_id(),
            door,
            peer,
            route: OnceLock::new(),
            operation: OnceLock::new(),
            by: OnceLock::new(),
            tenants,
            place: OnceLock::new(),
            was_crowded: AtomicBool::new(false),
            body_bytes: AtomicU64::new(0),
        }
    }

    /// Runs `work` as work for this request.
    pub async fn run<F: Future>(self: Arc<Self>, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }

    /// Runs something short as work for this request.
    pub fn run_now<T>(self: &Arc<Self>, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(Arc::clone(self), work)
    }

    pub fn id(&self) -> [u8; 16] {
        self.id
    }

    pub fn door(&self) -> &'static str {
        self.door
    }

    pub fn peer(&self) -> Option<IpAddr> {
        self.peer
    }

    /// The operation that the door named, else the route.
    pub fn operation(&self) -> Option<&'static str> {
        self.operation.get().or_else(|| self.route.get()).copied()
    }

    /// The tenant and the key, once they are known.
    pub fn by(&self) -> Option<(&Id, Option<&str>)> {
        self.by.get().map(|(tenant, key_id)| (tenant, key_id.as_deref()))
    }

    /// Counts bytes of its body that came in.
    pub fn took(&self, bytes: usize) {
        self.body_bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// How many bytes of its body came in.
    pub fn body_bytes(&self) -> u64 {
        self.body_bytes.load(Relaxed)
    }

    /// Whether it was refused because its tenant has too many under way.
    pub fn was_crowded(&self) -> bool {
        self.was_crowded.load(Relaxed)
    }

    fn is_by(&self, tenant: &Id, key_id: Option<&Arc<str>>) -> Result<(), Error> {
        if self.by.get().is_none() && self.by.set((*tenant, key_id.cloned())).is_ok() {
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
    let mut text = String::with_capacity(36);
    for (at, byte) in id.into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.extend([byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])));
    }
    text
}

/// Names the operation, where the path does not tell it.
pub fn operation(name: &'static str) {
    let _ = CURRENT.try_with(|request| request.operation.set(name));
}

/// Names the route: a method and the pattern of a path.
pub fn route(name: &'static str) {
    let _ = CURRENT.try_with(|request| request.route.set(name));
}

/// The request that this task works for.
pub fn current() -> Option<Arc<Request>> {
    CURRENT.try_with(Arc::clone).ok()
}

/// Does something as work for a request, if there is one: what a task hands to another thread.
pub(crate) fn for_the_same<T>(request: Option<Arc<Request>>, work: impl FnOnce() -> T) -> T {
    match request {
        Some(request) => request.run_now(work),
        None => work(),
    }
}

/// The door that the request came in by.
pub fn door() -> &'static str {
    CURRENT.try_with(|request| request.door).unwrap_or("none")
}

/// The same for work that waits.
pub(crate) async fn wait_for_the_same<F: Future>(request: Option<Arc<Request>>, work: F) -> F::Output {
    match request {
        Some(request) => request.run(work).await,
        None => work.await,
    }
}

/// Notes for whom the request is. Refuses it if that tenant has too many under way.
pub(crate) fn is_by(tenant: &Id, key_id: Option<&Arc<str>>) -> Result<(), Error> {
    CURRENT.try_with(|request| request.is_by(tenant, key_id)).unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests {
    use otaru_model::Role;

    use super::*;
    use crate::app::Caller;

    fn request(tenants: &Gate<Id>) -> Arc<Request> {
        Arc::new(Request::new("test", None, tenants.clone()))
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
        request.run_now(|| route("GET /"));
        assert_eq!(request.operation(), Some("GET /"));
        request.run_now(|| operation("Heard"));
        assert_eq!(request.operation(), Some("Heard"), "what the door says goes before the route");
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
