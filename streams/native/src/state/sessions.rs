//! Sessionisation: `sessions.py`.

use std::collections::VecDeque;

use crate::rules::{Names, Rules};

/// Open sessions with an id.
const MAX_NAMED: usize = 128;
/// Sessions that are kept before slots that nothing refers to are used again.
const SPARE: usize = 24;

/// A session's place in `Sessions`. Two that are equal are one session.
pub type SessionId = u32;

pub struct Session {
    pub session_id: Option<Box<str>>,
    pub started_at: i64,
    pub last_at: i64,
    pub touchpoints: i64,
    pub opened: Names,
    pub met: Names,
}

struct Named {
    source: Box<str>,
    session_id: Box<str>,
    session: SessionId,
}

#[derive(Default)]
pub struct Sessions {
    pool: Vec<Session>,
    free: Vec<SessionId>,
    /// When the pool reaches this, `collect` looks for slots to use again.
    full: usize,
    unnamed: Option<SessionId>,
    named: VecDeque<Named>,
    pub count: i64,
    pub latest: Option<SessionId>,
}

impl Sessions {
    pub fn get(&self, id: SessionId) -> &Session {
        &self.pool[id as usize]
    }

    pub fn get_mut(&mut self, id: SessionId) -> &mut Session {
        &mut self.pool[id as usize]
    }

    pub fn latest(&self) -> Option<&Session> {
        self.latest.map(|id| self.get(id))
    }

    /// Assigns an inbound touchpoint. Returns its session, which it extends or starts.
    pub fn touch(&mut self, at: i64, source: &str, session_id: Option<&str>, rules: &Rules) -> SessionId {
        let open = match session_id {
            None => self.unnamed.filter(|id| {
                let session = self.get(*id);
                at - session.last_at <= rules.session_gap_ms
                    && at - session.started_at <= rules.session_cap_ms
            }),
            Some(name) => self
                .named
                .iter()
                .find(|named| &*named.session_id == name && &*named.source == source)
                .map(|named| named.session)
                .filter(|id| at - self.get(*id).started_at <= rules.session_cap_ms),
        };
        let id = open.unwrap_or_else(|| match session_id {
            None => {
                let id = self.start(None, at);
                self.unnamed = Some(id);
                id
            }
            Some(name) => self.begin(at, source, name, rules),
        });
        let session = self.get_mut(id);
        session.last_at = at;
        session.touchpoints += 1;
        self.latest = Some(id);
        id
    }

    fn begin(&mut self, at: i64, source: &str, name: &str, rules: &Rules) -> SessionId {
        while let Some(oldest) = self.named.front() {
            let open = at - self.get(oldest.session).started_at <= rules.session_cap_ms;
            if open && self.named.len() < MAX_NAMED {
                break;
            }
            self.named.pop_front();
        }
        self.named.retain(|named| !(&*named.session_id == name && &*named.source == source));
        let session = self.start(Some(name), at);
        self.named.push_back(Named { source: source.into(), session_id: name.into(), session });
        session
    }

    fn start(&mut self, session_id: Option<&str>, at: i64) -> SessionId {
        self.count += 1;
        let session = Session {
            session_id: session_id.map(Into::into),
            started_at: at,
            last_at: at,
            touchpoints: 0,
            opened: 0,
            met: 0,
        };
        if let Some(id) = self.free.pop() {
            self.pool[id as usize] = session;
            return id;
        }
        self.pool.push(session);
        (self.pool.len() - 1) as SessionId
    }

    /// Finds slots to use again, when many are kept: those that neither this nor `others` refers to.
    ///
    /// Call it between instants only: within one, sessions are held by those who fold it.
    pub fn collect(&mut self, others: impl Iterator<Item = SessionId>) {
        if !self.free.is_empty() || self.pool.len() < self.full.max(SPARE) {
            return;
        }
        let mut held = vec![false; self.pool.len()];
        let own = self.unnamed.into_iter().chain(self.latest).chain(self.named.iter().map(|one| one.session));
        for id in own.chain(others) {
            held[id as usize] = true;
        }
        self.free.extend((0..held.len()).filter(|id| !held[*id]).map(|id| id as SessionId));
        self.full = 2 * (self.pool.len() - self.free.len());
    }
}
