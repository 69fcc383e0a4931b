//! The room `sync` in every order in which threads can meet: `cargo test -p models`.
//!
//! Each model has a twin from which one step is taken, and which must fail: a model that can't see that proves nothing.
//! A twin runs in a process of its own, because loom ends the process when threads wait for ever (`deadlock`).
//! `-- --nocapture` prints how many orders were tried.

// All of this is test code, helpers too.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::pin::pin;
use std::process::Command;
use std::task::Poll;

use loom::future::block_on;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread::{JoinHandle, spawn};
use models::sync::{Check, Flag, Latest, Outlet, Published, Queue, Reclaim, Teller, latest, queue};

/// How often in one run a thread is interrupted where it could have gone on. Bugs that need more are rare, and each one
/// more costs some ten times the orders.
const PREEMPTIONS_MAX: usize = 3;

/// Tries every order of a model.
fn model(name: &str, threads: impl Fn() + Sync + Send + 'static) {
    model_within(PREEMPTIONS_MAX, name, threads);
}

fn model_within(preemptions_max: usize, name: &str, threads: impl Fn() + Sync + Send + 'static) {
    let tried = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&tried);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions_max);
    builder.check(move || {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        threads();
    });
    println!("{name}: {} orders", tried.load(std::sync::atomic::Ordering::Relaxed));
}

/// Runs a model that must fail with `message`.
fn twin(test: &str, message: &str, threads: impl Fn() + Sync + Send + 'static) {
    if std::env::var_os(TWIN).is_some() {
        return model("twin", threads);
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    let ended = command.args(["--exact", test, "--nocapture"]).env(TWIN, "1").output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success(), "the model does not see what is missing");
    assert!(said.contains(message), "the model fails for another reason: {said}");
}

/// Set where a twin runs.
const TWIN: &str = "HELIOS_LOOM_TWIN";

/// Begins to wait and gives it up at once, or gets what was waited for.
async fn try_once<T>(waited_for: impl Future<Output = T>) -> Option<T> {
    let mut waited_for = pin!(waited_for);
    std::future::poll_fn(|cx| match waited_for.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

// --- the snapshot swap: what `engine::Partition` publishes and `engine::Core` deletes -----------------------------

/// A block and its file.
struct Block {
    deleted: AtomicBool,
    /// Whether a reader has opened the file. Whoever deletes it must know, to close it.
    opened: AtomicBool,
}

/// What a query sees: the events of the head, and a block with those that it has.
struct View {
    head: Vec<u32>,
    block: Option<(Arc<Block>, Vec<u32>)>,
}

impl Block {
    fn new() -> Arc<Self> {
        Arc::new(Self { deleted: AtomicBool::new(false), opened: AtomicBool::new(false) })
    }

    /// Deletes the file. Returns whether it was known to be open.
    fn delete(&self) -> bool {
        self.deleted.store(true, Ordering::Relaxed);
        self.opened.load(Ordering::Relaxed)
    }
}

impl View {
    fn of(block: &Arc<Block>) -> Arc<Self> {
        Arc::new(Self { head: vec![], block: Some((Arc::clone(block), vec![1, 2])) })
    }

    fn without_blocks() -> Arc<Self> {
        Arc::new(Self { head: vec![], block: None })
    }
}

/// A query: takes a snapshot and reads the block in it. Returns whether there was one.
fn query(views: &Arc<Published<Arc<View>>>) -> JoinHandle<bool> {
    let views = Arc::clone(views);
    spawn(move || {
        let snapshot = views.load();
        let Some((block, _)) = &snapshot.block else { return false };
        block.opened.store(true, Ordering::Relaxed);
        assert!(!block.deleted.load(Ordering::Relaxed), "a snapshot lost its block");
        true
    })
}

/// A block is replaced while queries run.
fn replace_a_block(reclaim: Reclaim<Arc<Block>>, queries: usize) {
    let block = Block::new();
    let views = Arc::new(Published::new(View::of(&block)));
    let queries: Vec<_> = (0..queries).map(|_| query(&views)).collect();
    views.publish(View::without_blocks());
    reclaim.discard([block]);
    let mut deleted: Vec<bool> = reclaim.take_free().iter().map(|block| block.delete()).collect();
    let opened = queries.into_iter().fold(false, |opened, query| query.join().unwrap() | opened);
    deleted.extend(reclaim.take_free().iter().map(|block| block.delete()));
    assert_eq!(deleted, [opened], "it is deleted once, and whoever deletes it knows of its last use");
}

#[test]
fn a_block_is_deleted_once_and_never_under_a_snapshot() {
    model("two queries and a replaced block", || replace_a_block(Reclaim::new(), 2));
}

#[test]
fn twin_that_deletes_what_is_held_is_caught() {
    let test = "twin_that_deletes_what_is_held_is_caught";
    twin(test, "whoever deletes it knows of its last use", || replace_a_block(Reclaim::without(Check::OnlyHandle), 1));
}

/// A flush: events 1 and 2 move from the head to a block.
fn flush_while_a_query_reads(in_two_steps: bool) {
    let block = Block::new();
    let views = Arc::new(Published::new(Arc::new(View { head: vec![1, 2, 3], block: None })));
    let reader = {
        let views = Arc::clone(&views);
        spawn(move || {
            let snapshot = views.load();
            let stored = snapshot.block.iter().flat_map(|(_, events)| events);
            let mut events: Vec<u32> = stored.chain(&snapshot.head).copied().collect();
            events.sort_unstable();
            assert_eq!(events, [1, 2, 3], "P1");
        })
    };
    let view = |head: &[u32]| Arc::new(View { head: head.to_vec(), block: Some((Arc::clone(&block), vec![1, 2])) });
    if in_two_steps {
        views.publish(view(&[1, 2, 3]));
    }
    views.publish(view(&[3]));
    reader.join().unwrap();
}

#[test]
fn an_event_is_in_the_head_or_in_a_block_while_a_flush_publishes() {
    model("a query and a flush", || flush_while_a_query_reads(false));
}

#[test]
fn twin_that_publishes_in_two_steps_is_caught() {
    twin("twin_that_publishes_in_two_steps_is_caught", "P1", || flush_while_a_query_reads(true));
}

// --- the stop -----------------------------------------------------------------------------------------------------

fn wait_for(flag: &Flag) -> JoinHandle<()> {
    let flag = flag.clone();
    spawn(move || block_on(flag.raised()))
}

fn stop_while_workers_begin_to_wait(flag: &Flag, workers: usize) {
    let workers: Vec<_> = (0..workers).map(|_| wait_for(flag)).collect();
    flag.raise();
    assert!(flag.is_raised());
    workers.into_iter().for_each(|worker| worker.join().unwrap());
}

#[test]
fn everybody_who_waits_for_a_stop_ends_however_late_they_began() {
    model("two workers and a stop", || stop_while_workers_begin_to_wait(&Flag::new(), 2));
}

#[test]
fn a_wait_that_is_given_up_keeps_nobody_from_the_stop() {
    model("a worker that gives up, one that waits, and a stop", || {
        let flag = Flag::new();
        let waits = wait_for(&flag);
        let gives_up = {
            let flag = flag.clone();
            spawn(move || block_on(try_once(flag.raised())).is_some())
        };
        flag.raise();
        gives_up.join().unwrap();
        waits.join().unwrap();
    });
}

#[test]
fn twin_that_looks_and_then_gets_in_line_misses_the_stop() {
    twin("twin_that_looks_and_then_gets_in_line_misses_the_stop", "deadlock", || {
        stop_while_workers_begin_to_wait(&Flag::without(Check::OneLock), 1)
    });
}

#[test]
fn twin_that_raises_and_wakes_nobody_is_caught() {
    twin("twin_that_raises_and_wakes_nobody_is_caught", "deadlock", || {
        stop_while_workers_begin_to_wait(&Flag::without(Check::WakeAtEnd), 1)
    });
}

// --- what one tells and others read: `control::Leadership` --------------------------------------------------------

fn tell_twice_and_end((teller, reader): (Teller<u32>, Latest<u32>), readers: usize) {
    let readers: Vec<_> = (0..readers)
        .map(|_| {
            let mut reader = reader.clone();
            spawn(move || {
                let mut seen = vec![reader.get()];
                while block_on(reader.changed()) {
                    seen.push(reader.get());
                }
                assert!(seen.is_sorted(), "values come in their order");
                assert_eq!(reader.get(), 2, "the last value is seen");
            })
        })
        .collect();
    teller.tell(1);
    teller.tell(2);
    drop(teller);
    readers.into_iter().for_each(|reader| reader.join().unwrap());
}

#[test]
fn every_reader_sees_the_last_value_and_the_end() {
    model("two values, the end and a reader", || tell_twice_and_end(latest(0), 1));
}

#[test]
fn twin_that_looks_and_then_gets_in_line_misses_the_last_value() {
    twin("twin_that_looks_and_then_gets_in_line_misses_the_last_value", "deadlock", || {
        tell_twice_and_end(Latest::without(0, Check::OneLock), 1)
    });
}

#[test]
fn twin_that_ends_and_wakes_nobody_is_caught() {
    twin("twin_that_ends_and_wakes_nobody_is_caught", "deadlock", || {
        tell_twice_and_end(Latest::without(0, Check::WakeAtEnd), 1)
    });
}

// --- the bounded queue and the group commit -----------------------------------------------------------------------

/// What became of a record. Told by the standard library's means: loom need not try the orders of that.
#[derive(Default)]
struct Fate {
    answered: std::sync::atomic::AtomicBool,
    dropped: std::sync::atomic::AtomicBool,
}

/// A record on its way. Dropped unanswered, its client is told that nobody knows, as with a channel.
struct Record(std::sync::Arc<Fate>);

impl Record {
    fn answer(self) {
        self.0.answered.store(true, Ordering::Relaxed);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.0.dropped.store(true, Ordering::Relaxed);
    }
}

/// What a client was told in the end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Told {
    Answered,
    /// That nobody knows.
    Unknown,
    Refused,
    /// Nothing: it waits for ever.
    Nothing,
}

/// A client with one record; ends when it would begin to wait for its answer.
struct Client(JoinHandle<(bool, std::sync::Arc<Fate>)>);

impl Client {
    fn start(queue: &Arc<Queue<Record>>) -> Self {
        let queue = Arc::clone(queue);
        Self(spawn(move || {
            let fate = std::sync::Arc::<Fate>::default();
            let taken = block_on(queue.put(Record(std::sync::Arc::clone(&fate)))).is_ok();
            (taken, fate)
        }))
    }

    /// To be asked once nothing goes on any more.
    fn told(self) -> Told {
        let (taken, fate) = self.0.join().unwrap();
        let (answered, dropped) = (fate.answered.load(Ordering::Relaxed), fate.dropped.load(Ordering::Relaxed));
        match (taken, answered, dropped) {
            (false, false, true) => Told::Refused,
            (true, true, true) => Told::Answered,
            (true, false, true) => Told::Unknown,
            (true, false, false) => Told::Nothing,
            other => panic!("a record has two fates: {other:?}"),
        }
    }
}

/// The task that commits: takes groups until the queue has ended and is empty.
fn commit(mut outlet: Outlet<Record>, group_records: u64) -> JoinHandle<()> {
    spawn(move || {
        while let Some(group) = block_on(outlet.next_group(group_records, |_| 1)) {
            assert!(!group.is_empty() && group.len() as u64 <= group_records);
            group.into_iter().for_each(Record::answer);
        }
    })
}

/// Clients, the committing task and an end, all at the same time.
fn group_commit((queue, outlet): (Queue<Record>, Outlet<Record>), clients: usize) {
    let queue = Arc::new(queue);
    let clients: Vec<_> = (0..clients).map(|_| Client::start(&queue)).collect();
    let commits = commit(outlet, 2);
    queue.end();
    commits.join().unwrap();
    for client in clients {
        let told = client.told();
        assert!(matches!(told, Told::Answered | Told::Refused), "told {told:?}");
    }
}

/// Clients and the committing task; the end comes when all clients are through.
fn group_commit_in_peace((queue, outlet): (Queue<Record>, Outlet<Record>), clients: usize) {
    let queue = Arc::new(queue);
    let clients: Vec<_> = (0..clients).map(|_| Client::start(&queue)).collect();
    let commits = commit(outlet, 2);
    let taken: Vec<_> = clients.into_iter().map(|client| client.0.join().unwrap()).collect();
    queue.end();
    commits.join().unwrap();
    for (taken, fate) in taken {
        assert!(taken && fate.answered.load(Ordering::Relaxed));
    }
}

#[test]
fn every_record_that_was_taken_before_the_end_is_answered_and_every_other_is_refused() {
    model("two clients, a queue of one place, commits and the end", || group_commit(queue(1), 2));
}

#[test]
fn two_clients_for_one_place_both_come_through_when_nothing_ends() {
    // With three it takes half a minute.
    model_within(2, "two clients and a queue of one place", || group_commit_in_peace(queue(1), 2));
}

#[test]
fn a_client_that_gives_up_its_wait_for_room_does_not_keep_the_room() {
    model("a client that gives up and one that waits", || {
        let (queue, mut outlet) = queue(1);
        let queue = Arc::new(queue);
        assert!(block_on(queue.put(1)).is_ok());
        let gives_up = {
            let queue = Arc::clone(&queue);
            spawn(move || usize::from(block_on(try_once(queue.put(2))).is_some()))
        };
        let waits = {
            let queue = Arc::clone(&queue);
            spawn(move || assert!(block_on(queue.put(3)).is_ok()))
        };
        let mut came = 0;
        while came < 2 {
            came += block_on(outlet.next_group(1, |_| 1)).unwrap().len();
        }
        // Whoever gave up may have got in after all: then that is there and was not lost.
        let got_in = gives_up.join().unwrap();
        if got_in == 1 {
            came += block_on(outlet.next_group(1, |_| 1)).unwrap().len();
        }
        waits.join().unwrap();
        assert_eq!(came, 2 + got_in);
    });
}

#[test]
fn nobody_waits_for_a_committing_task_that_has_died() {
    model("two clients and a task that dies", || {
        let (queue, mut outlet) = queue(1);
        let queue = Arc::new(queue);
        let clients = [Client::start(&queue), Client::start(&queue)];
        let dies = spawn(move || {
            let group = block_on(outlet.next_group(1, |_| 1)).unwrap();
            group.into_iter().for_each(Record::answer);
        });
        dies.join().unwrap();
        let told = clients.map(Client::told);
        assert!(!told.contains(&Told::Nothing), "told {told:?}");
        assert_eq!(told.iter().filter(|told| **told == Told::Answered).count(), 1, "told {told:?}");
    });
}

#[test]
fn twin_that_looks_and_then_gets_in_line_waits_for_ever() {
    let test = "twin_that_looks_and_then_gets_in_line_waits_for_ever";
    twin(test, "deadlock", || group_commit(Queue::without(1, Check::OneLock), 1));
}

#[test]
fn twin_that_ends_the_queue_and_wakes_nobody_waits_for_ever() {
    let test = "twin_that_ends_the_queue_and_wakes_nobody_waits_for_ever";
    twin(test, "deadlock", || group_commit(Queue::without(1, Check::WakeAtEnd), 1));
}

#[test]
fn twin_that_makes_room_and_wakes_nobody_waits_for_ever() {
    let test = "twin_that_makes_room_and_wakes_nobody_waits_for_ever";
    twin(test, "deadlock", || group_commit_in_peace(Queue::without(1, Check::WakeForRoom), 2));
}

#[test]
fn twin_that_hands_out_nothing_after_the_end_loses_a_record() {
    let test = "twin_that_hands_out_nothing_after_the_end_loses_a_record";
    twin(test, "told Unknown", || group_commit(Queue::without(1, Check::Drain), 1));
}

#[test]
fn twin_that_takes_a_record_after_the_end_never_answers_it() {
    let test = "twin_that_takes_a_record_after_the_end_never_answers_it";
    twin(test, "told Nothing", || group_commit(Queue::without(1, Check::RefuseAfterEnd), 1));
}

// --- the shutdown: `Engine::close` --------------------------------------------------------------------------------

#[test]
fn a_close_ends_the_workers_and_the_commits_and_leaves_no_client_waiting() {
    model("a worker, a client, commits and a close", || {
        let (stopping, (queue, outlet)) = (Flag::new(), queue(1));
        let queue = Arc::new(queue);
        let (worker, client, commits) = (wait_for(&stopping), Client::start(&queue), commit(outlet, 2));
        stopping.raise();
        queue.end();
        commits.join().unwrap();
        worker.join().unwrap();
        let told = client.told();
        assert!(matches!(told, Told::Answered | Told::Refused), "told {told:?}");
    });
}
