//! Referrals without a limit of size: what a server sends over TCP.

use std::collections::HashMap;
use std::rc::Rc;

use super::ground::Ground;
use super::reply::Reply;

/// The server that our replies are compared with, beside what it answers over
/// UDP.
pub trait Reference {
    /// Why it cannot be asked.
    type Error;

    /// Its whole referral to a delegation, with or without DNSSEC records.
    ///
    /// # Errors
    ///
    /// There is no reply that can be read.
    fn whole(&mut self, ground: &Ground, dnssec: bool) -> Result<Rc<Reply>, Self::Error>;

    /// Its reply to this very query over TCP.
    ///
    /// # Errors
    ///
    /// There is no reply that can be read.
    fn over_tcp(&mut self, query: &[u8]) -> Result<Reply, Self::Error>;
}

/// A [`Reference`] that is asked for each referral once.
#[derive(Debug)]
pub struct Wholes<F> {
    ask: F,
    known: HashMap<(Box<[u8]>, bool), Rc<Reply>>,
}

impl<F, E> Wholes<F>
where
    F: FnMut(&[u8]) -> Result<Reply, E>,
{
    /// `ask` sends a query over TCP.
    pub fn new(ask: F) -> Self {
        Self {
            ask,
            known: HashMap::new(),
        }
    }

    /// Forgets what was asked, when other delegations follow.
    pub fn clear(&mut self) {
        self.known.clear();
    }
}

impl<F, E> Reference for Wholes<F>
where
    F: FnMut(&[u8]) -> Result<Reply, E>,
{
    type Error = E;

    fn whole(&mut self, ground: &Ground, dnssec: bool) -> Result<Rc<Reply>, E> {
        if let Some(whole) = self.known.get(&(ground.cut.clone(), dnssec)) {
            return Ok(Rc::clone(whole));
        }
        let whole = Rc::new((self.ask)(&whole_query(&ground.cut, dnssec))?);
        let key = (ground.cut.clone(), dnssec);
        self.known.insert(key, Rc::clone(&whole));
        Ok(whole)
    }

    fn over_tcp(&mut self, query: &[u8]) -> Result<Reply, E> {
        (self.ask)(query)
    }
}

/// The query for the whole referral to a cut: for its NS records, with an OPT
/// record.
pub fn whole_query(cut: &[u8], dnssec: bool) -> Vec<u8> {
    let mut query = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    query.extend(cut);
    query.extend([0, 2, 0, 1]);
    query.extend([
        0,
        0,
        41,
        4,
        208,
        0,
        0,
        if dnssec { 0x80 } else { 0 },
        0,
        0,
        0,
    ]);
    query
}
