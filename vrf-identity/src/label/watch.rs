//! What the owner of an identity looks for (protocol.md §4.3).

use std::ops::RangeInclusive;

use super::{Epoch, Label, San, Scope, SlotCount};
use crate::vrf::MonitoringKey;

/// A label to look for, with where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WatchedLabel {
    /// Mode, profile and label, as a certificate shows them.
    pub san: San,
    /// The label's profile, epoch and slot.
    pub scope: Scope,
}

/// Every label of the monitoring keys over the epochs: per key one `stable` label, then for each epoch the `epoch`
/// label and those of all slots. An owner with the keys of both modes gets 2·(1 + (1 + SLOTS) per epoch) of them.
///
/// All profiles are there whichever one the owner uses, because a thief uses whichever it likes.
pub fn watch_list<'a>(
    keys: &'a [MonitoringKey],
    epochs: RangeInclusive<Epoch>,
    slots: SlotCount,
) -> impl Iterator<Item = WatchedLabel> + 'a {
    keys.iter().flat_map(move |key| {
        scopes(epochs.clone(), slots).map(move |scope| {
            let label = Label::derive(key, scope);
            WatchedLabel { san: San { mode: key.mode(), profile: scope.profile(), label }, scope }
        })
    })
}

fn scopes(epochs: RangeInclusive<Epoch>, slots: SlotCount) -> impl Iterator<Item = Scope> {
    let epochs = epochs.start().0..=epochs.end().0;
    let changing = epochs.map(Epoch).flat_map(move |epoch| {
        let unlinkable = slots.slots().map(move |slot| Scope::Unlinkable(epoch, slot));
        std::iter::once(Scope::Epoch(epoch)).chain(unlinkable)
    });
    std::iter::once(Scope::Stable).chain(changing)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::super::tests::key;
    use super::super::{Mode, Profile};
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn list_has_every_label_of_both_modes_once() {
        let keys = [key(Mode::Open, 1), key(Mode::Blind, 2)];
        let slots = SlotCount::new(5).unwrap();
        let watched: Vec<_> = watch_list(&keys, Epoch(3)..=Epoch(4), slots).collect();
        assert_eq!(watched.len(), 2 * (1 + (1 + 5) * 2));
        let labels: HashSet<_> = watched.iter().map(|watched| watched.san.label).collect();
        assert_eq!(labels.len(), watched.len());
        let per_profile = |profile| watched.iter().filter(|watched| watched.san.profile == profile).count();
        assert_eq!([Profile::Stable, Profile::Epoch, Profile::Unlinkable].map(per_profile), [2, 4, 20]);
    }

    #[test]
    fn listed_labels_are_those_a_certificate_gets() {
        let keys = [key(Mode::Open, 1)];
        let slots = SlotCount::new(2).unwrap();
        let scope = Scope::Unlinkable(Epoch(9), slots.slot(1).unwrap());
        let expected = Label::derive(&keys[0], scope);
        let found =
            watch_list(&keys, Epoch(9)..=Epoch(9), slots).find(|watched| watched.scope == scope).unwrap();
        assert_eq!(found.san, San { mode: Mode::Open, profile: Profile::Unlinkable, label: expected });
    }

    #[test]
    fn empty_range_leaves_the_stable_labels() {
        let keys = [key(Mode::Open, 1)];
        let slots = SlotCount::new(2).unwrap();
        #[allow(clippy::reversed_empty_ranges, reason = "the case under test")]
        let watched: Vec<_> = watch_list(&keys, Epoch(2)..=Epoch(1), slots).collect();
        assert_eq!(watched.len(), 1);
    }
}
