//! Work that is done by several threads: most of these tests wait for a program, and not for the processor.

use std::collections::VecDeque;
use std::sync::Mutex;

/// Does `work` for each item, with what a thread keeps from one item to the next; a panic of any fails the test.
pub fn each_with<T: Send, K: Default>(threads: usize, items: Vec<T>, work: impl Fn(&mut K, T) + Sync) {
    let queue = Mutex::new(VecDeque::from(items));
    let next = || queue.lock().expect("a lock").pop_front();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut kept = K::default();
                while let Some(item) = next() {
                    work(&mut kept, item);
                }
            });
        }
    });
}

/// Does `work` for each item.
pub fn each<T: Send>(threads: usize, items: Vec<T>, work: impl Fn(T) + Sync) {
    each_with(threads, items, |(): &mut (), item| work(item));
}
