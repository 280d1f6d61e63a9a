//! The newest touchpoints, which the journey state shows, kept encoded (`recent.py`).

use std::collections::VecDeque;

use crate::encoding::{put_items, put_long, put_text};

const RECENT: usize = 20;

#[derive(Default)]
pub struct Recent(VecDeque<Box<[u8]>>);

impl Recent {
    pub fn add(&mut self, at: i64, event_id: &str, channel: &str, name: &str) {
        let mut item = Vec::with_capacity(event_id.len() + channel.len() + name.len() + 16);
        put_text(&mut item, event_id);
        put_long(&mut item, at);
        put_text(&mut item, channel);
        put_text(&mut item, name);
        if self.0.len() == RECENT {
            self.0.pop_front();
        }
        self.0.push_back(item.into_boxed_slice());
    }

    pub fn put(&self, out: &mut Vec<u8>) {
        put_items(out, self.0.iter(), |out, item| out.extend_from_slice(item));
    }
}
