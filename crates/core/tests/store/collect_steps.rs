//! What clients and collectors do to the registry's bytes, in any order and several at the same time.

use proptest::collection::vec;
use proptest::prelude::*;

/// Few of each, so that they meet.
const CONTENTS: usize = 3;
pub const SLOTS: usize = 3;
const KEYS: usize = 2;

#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// An upload in one go.
    Upload {
        slot: usize,
        content: usize,
    },
    /// The first half of an upload in two pieces.
    Begin {
        slot: usize,
        content: usize,
    },
    /// The second half.
    End {
        slot: usize,
    },
    Abandon {
        slot: usize,
    },
    CreateOfUpload {
        slot: usize,
    },
    CreateOfObject {
        key: usize,
    },
    Delete {
        nth: usize,
    },
    Put {
        key: usize,
        content: usize,
    },
    Parts {
        key: usize,
        content: usize,
    },
    Copy {
        from: usize,
        to: usize,
    },
    Remove {
        key: usize,
    },
    Collect,
    Jump {
        hours: i64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (slot, key, content) = (0..SLOTS, 0..KEYS, 0..CONTENTS);
    prop_oneof![
        4 => (slot.clone(), content.clone()).prop_map(|(slot, content)| Step::Upload { slot, content }),
        2 => (slot.clone(), content.clone()).prop_map(|(slot, content)| Step::Begin { slot, content }),
        2 => slot.clone().prop_map(|slot| Step::End { slot }),
        1 => slot.clone().prop_map(|slot| Step::Abandon { slot }),
        3 => slot.prop_map(|slot| Step::CreateOfUpload { slot }),
        2 => key.clone().prop_map(|key| Step::CreateOfObject { key }),
        3 => (0..4usize).prop_map(|nth| Step::Delete { nth }),
        3 => (key.clone(), content.clone()).prop_map(|(key, content)| Step::Put { key, content }),
        2 => (key.clone(), content).prop_map(|(key, content)| Step::Parts { key, content }),
        1 => (key.clone(), key.clone()).prop_map(|(from, to)| Step::Copy { from, to }),
        2 => key.prop_map(|key| Step::Remove { key }),
        8 => Just(Step::Collect),
        2 => prop::sample::select(vec![-24, 1, 2, 24]).prop_map(|hours| Step::Jump { hours }),
    ]
}

/// What is done at the same time, round by round.
pub fn rounds() -> impl Strategy<Value = Vec<Vec<Step>>> {
    vec(prop_oneof![1 => vec(step(), 1), 3 => vec(step(), 3..9)], 1..12)
}
