//! The file store as a person meets it: restarts, a second server, damage, a full disk, the tools.

use std::fs;
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
use tempfile::{TempDir, tempdir};

use crate::store_client::{Answer, Watcher, connect, count, increment};
use crate::store_node::{Node, run};

struct Place {
    directory: TempDir,
    store: String,
}

impl Place {
    fn new() -> Self {
        let directory = tempdir().unwrap();
        let store = format!("file:{}", directory.path().join("counter.redb").display());
        Self { directory, store }
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.path()).unwrap()
    }

    fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("counter.redb")
    }

    async fn counted(increments: u64) -> Self {
        let place = Self::new();
        let node = Node::start(&place.store);
        let (mut client, _) = connect(node.url()).await.unwrap();
        for number in 1..=increments {
            let key = format!("key {number}");
            let answer = increment(&mut client, Some(&key)).await.unwrap();
            assert_eq!(answer, Answer::Count(number));
        }
        node.stop();
        place
    }

    fn refusal(&self) -> String {
        let (code, stdout, stderr) =
            run(&["--port", "0", "--admin", "off", "--store", &self.store]);
        assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
        assert_eq!(
            stderr
                .lines()
                .filter(|line| line.starts_with("error: "))
                .count(),
            1,
            "{stderr}"
        );
        stderr
    }
}

#[tokio::test]
async fn the_count_survives_the_end_of_the_server() {
    let place = Place::counted(3).await;
    let node = Node::start(&place.store);
    assert_eq!(count(node.url()).await, 3);
}

#[tokio::test]
async fn the_default_store_is_a_file_in_the_working_directory() {
    let directory = tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_counter-server"));
    command.args(["--port", "0", "--admin", "127.0.0.1:0"]);
    command
        .env_remove("COUNTER_STORE")
        .current_dir(directory.path());
    let node = Node::spawn(command).unwrap();
    let (mut client, _) = connect(node.url()).await.unwrap();
    assert_eq!(
        increment(&mut client, None).await.unwrap(),
        Answer::Count(1)
    );
    node.stop();
    let names: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|it| it.unwrap().file_name())
        .collect();
    assert_eq!(names, ["counter.redb"]);
}

#[tokio::test]
async fn a_second_server_on_the_same_file_is_refused_and_the_first_goes_on() {
    let place = Place::new();
    let node = Node::start(&place.store);
    let refusal = place.refusal();
    assert!(refusal.contains("another process has it open"), "{refusal}");
    let (code, _, stderr) = run(&["store", "set", "9", "--store", &place.store]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("another process has it open"), "{stderr}");
    let (mut client, _) = connect(node.url()).await.unwrap();
    assert_eq!(
        increment(&mut client, None).await.unwrap(),
        Answer::Count(1)
    );
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_left_as_it_is() {
    let place = Place::counted(40).await;
    let sound = place.bytes();
    let page = |number: usize| number * 4096..(number + 1) * 4096;
    let pages = sound.len() / 4096;
    let mut damaged: Vec<(String, Vec<u8>)> = (0..pages)
        .map(|number| {
            let mut bytes = sound.clone();
            bytes[page(number)].fill(0xA5);
            (format!("page {number} overwritten"), bytes)
        })
        .collect();
    damaged.push(("cut short".into(), sound[..sound.len() / 2].to_vec()));
    damaged.push(("empty".into(), Vec::new()));
    damaged.push(("something else".into(), b"a letter to a friend".repeat(500)));
    let mut refused = 0;
    for (how, bytes) in damaged {
        fs::write(place.path(), &bytes).unwrap();
        let (code, stdout, stderr) = run(&["store", "show", "--store", &place.store]);
        if code == Some(0) {
            // The page was a free one.
            assert_eq!(stdout, "40\n", "{how}");
            continue;
        }
        refused += 1;
        assert!(
            stderr.contains("nothing was written to it"),
            "{how}: {stderr}"
        );
        assert!(place.bytes() == bytes, "{how}: it was changed");
        place.refusal();
        assert!(place.bytes() == bytes, "{how}: it was changed by a server");
    }
    assert!(refused >= 6, "only {refused} kinds of damage were found");
    fs::write(place.path(), &sound).unwrap();
    assert_eq!(count(Node::start(&place.store).url()).await, 40);
}

#[tokio::test]
async fn a_file_of_a_later_format_or_of_another_program_is_refused() {
    let place = Place::new();
    let write = |table: &str, entries: &[(&str, u64)]| {
        let _ = fs::remove_file(place.path());
        let database = redb::Database::create(place.path()).unwrap();
        let transaction = database.begin_write().unwrap();
        let definition = redb::TableDefinition::<&str, u64>::new(table);
        for &(name, value) in entries {
            let mut table = transaction.open_table(definition).unwrap();
            table.insert(name, value).unwrap();
        }
        transaction.commit().unwrap();
    };
    write("counter", &[("format", 2), ("count", 5)]);
    assert!(
        place
            .refusal()
            .contains("its format is 2, this program knows 1")
    );
    write("accounts", &[("alice", 5)]);
    assert!(place.refusal().contains("it is no counter file"));
    write("counter", &[("format", 1)]);
    assert!(place.refusal().contains("it has no count"));
}

#[tokio::test]
async fn a_disk_that_takes_no_more_answers_errors_and_heals() {
    let place = Place::new();
    // A limit of the file's size is a full disk that any user can make. The signal that comes with it
    // is for programs that do not look at the error.
    let mut command = Command::new("sh");
    let server = Node::command(&place.store);
    command
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(server.get_program())
        .args(server.get_args());
    let node = Node::spawn(command).unwrap();
    let mut watcher = Watcher::start(node.url()).await;
    let (mut client, _) = connect(node.url()).await.unwrap();
    assert_eq!(
        increment(&mut client, Some("before")).await.unwrap(),
        Answer::Count(1)
    );
    node.becomes_ready(true).await;

    let unlimited = getrlimit(Resource::Fsize);
    let full = Rlimit {
        current: Some(4096),
        ..unlimited
    };
    prlimit(Some(node.pid()), Resource::Fsize, full).unwrap();
    for attempt in 0..3 {
        let answer = increment(&mut client, Some("during")).await.unwrap();
        let Answer::Refused(error) = answer else {
            panic!("{attempt}: {answer:?}")
        };
        assert!(error.contains("try again"), "{error}");
    }
    node.becomes_ready(false).await;
    assert_eq!(node.metric("counter_store_up").await, 0);
    let full = r#"counter_store_errors_total{cause="full"}"#;
    assert!(node.metric(full).await >= 3);

    let before = Rlimit {
        current: unlimited.current,
        ..unlimited
    };
    prlimit(Some(node.pid()), Resource::Fsize, before).unwrap();
    // Nobody has to click for it.
    node.becomes_ready(true).await;
    assert_eq!(node.metric("counter_store_up").await, 1);
    let answer = increment(&mut client, Some("during")).await.unwrap();
    let Answer::Count(during) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(
        increment(&mut client, Some("before")).await.unwrap(),
        Answer::Count(1)
    );
    watcher.reaches(during).await;
    watcher.complete_sequence();
    assert_eq!(during, 2);
    let log = node.log();
    assert_eq!(log.matches("the store failed").count(), 1, "{log}");
    assert_eq!(log.matches("the store works again").count(), 1, "{log}");
    node.kill();
    assert_eq!(count(Node::start(&place.store).url()).await, 2);
}

#[tokio::test]
async fn the_file_stays_small_however_many_keys_come() {
    let place = Place::new();
    let mut command = Node::command(&place.store);
    command.args(["--max-keys", "1000"]);
    let node = Node::spawn(command).unwrap();
    let (mut client, _) = connect(node.url()).await.unwrap();
    let mut sizes = Vec::new();
    for round in 0..20 {
        for number in 0..1_000 {
            let key = format!("{round} {number} {}", "x".repeat(100));
            client
                .emit_with_ack("increment", &[serde_json::json!({ "key": key })])
                .await
                .unwrap();
        }
        let answer = increment(&mut client, None).await.unwrap();
        assert_eq!(answer, Answer::Count((round + 1) * 1_001));
        sizes.push(fs::metadata(place.path()).unwrap().len());
    }
    // 1,000 keys of 110 bytes are 110 kB; redb grows in doubling steps and frees late.
    assert!(sizes.iter().all(|&size| size <= 2 << 20), "{sizes:?}");
}

#[tokio::test]
async fn a_person_can_look_at_a_count_and_move_it() {
    let place = Place::counted(5).await;
    let show = |store: &str| run(&["store", "show", "--store", store]);
    let set = |store: &str, count: &str| run(&["store", "set", count, "--store", store]);
    assert_eq!(show(&place.store), (Some(0), "5\n".into(), String::new()));

    let other = Place::new();
    let (code, _, stderr) = show(&other.store);
    assert_eq!(code, Some(1));
    assert!(stderr.starts_with("error: cannot open"), "{stderr}");
    assert!(!other.path().exists(), "looking must not make a file");
    assert_eq!(
        set(&other.store, "5"),
        (Some(0), "5\n".into(), String::new())
    );
    assert_eq!(count(Node::start(&other.store).url()).await, 5);

    // Down to 3: the keys of 4 and 5 are forgotten, those below are not.
    assert_eq!(set(&place.store, "3").0, Some(0));
    let node = Node::start(&place.store);
    let (mut client, first) = connect(node.url()).await.unwrap();
    assert_eq!(first, 3);
    for (key, count) in [("key 3", 3), ("key 5", 4), ("key 4", 5), ("key 5", 4)] {
        assert_eq!(
            increment(&mut client, Some(key)).await.unwrap(),
            Answer::Count(count),
            "{key}"
        );
    }
    drop(node);

    assert_eq!(set(&place.store, "9007199254740991").0, Some(0));
    assert_eq!(
        set(&place.store, "9007199254740992").0,
        Some(2),
        "wrong usage"
    );
    assert_eq!(show("memory").0, Some(1));
}

#[tokio::test]
async fn two_servers_that_start_at_once_agree_on_one_file() {
    for _ in 0..5 {
        let place = Place::new();
        let start = || {
            let command = Node::command(&place.store);
            tokio::task::spawn_blocking(move || Node::spawn(command))
        };
        let (one, two) = tokio::join!(start(), start());
        let started = [one.unwrap(), two.unwrap()];
        assert_eq!(started.iter().filter(|node| node.is_ok()).count(), 1);
        let refusal = started.iter().find_map(|node| node.as_ref().err()).unwrap();
        assert!(refusal.contains("another process has it open"), "{refusal}");
        assert_eq!(fs::read_dir(place.directory.path()).unwrap().count(), 1);
    }
}
