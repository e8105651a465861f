//! A batch's numbers are kept, not counted: they must be those that counting gives.

use super::*;
use crate::{
    domain::{JobCounts, ProofCounts},
    store::schema::{STEPS, open},
};

/// The numbers that the store tells, and those that counting its jobs gives.
fn told_and_counted(store: &Store, raw: &Connection, name: &str) -> [(JobCounts, ProofCounts); 2] {
    let told = store.batch_by_name(name).unwrap().unwrap();
    let (mut counts, mut proofs) = (JobCounts::default(), ProofCounts::default());
    let weakest =
        "SELECT min(CASE m.proof WHEN 'written' THEN 0 WHEN 'read back' THEN 1 WHEN 'computed' THEN 2
        WHEN 'seen' THEN 3 END) FROM mappings m WHERE m.job = j.id";
    let mut jobs =
        raw.prepare(&format!("SELECT state, wants_eyes, ({weakest}) FROM jobs j WHERE batch = ?1")).unwrap();
    let mut rows = jobs.query([told.id]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let (state, wants_eyes): (JobState, bool) = (row.get(0).unwrap(), row.get(1).unwrap());
        *counts.of_mut(state) += 1;
        if state == JobState::Burned {
            proofs.waiting_for_eyes += u64::from(wants_eyes);
            if let Some(rank) = row.get::<_, Option<u8>>(2).unwrap() {
                *proofs.of_mut(Proof::ALL[usize::from(rank)]) += 1;
            }
        }
    }
    [(told.counts, told.proofs), (counts, proofs)]
}

#[test]
fn a_batchs_numbers_are_those_of_its_jobs_after_every_move() {
    let bench = Bench::new();
    let two = NewJob { entries: vec![bench.entry(0, 1), bench.entry(1, 11)], ..bench.job(1) };
    let mut imported = vec![two];
    imported.extend((2..=7).map(|number| bench.job(number)));
    let jobs = bench.running("b", imported);
    // Another batch's jobs are another batch's.
    let others = bench.running("other", vec![bench.job(8), bench.job(9)]);
    let raw = bench.raw();
    let mut seen = Vec::new();
    let mut look = |after: &str| {
        for name in ["b", "other"] {
            let [told, counted] = told_and_counted(&bench.store, &raw, name);
            assert_eq!(told, counted, "\"{name}\" after {after}");
            seen.push(told);
        }
    };
    look("the import");
    bench.burn(others[0], "O1");
    look("a burn elsewhere");

    let claimed = bench.claim(jobs[0], "A1").unwrap();
    look("a claim");
    bench.store.interrupted(claimed.id, "torn off", &stamp(11)).unwrap();
    look("an interruption");
    let claimed = bench.claim(jobs[0], "A1").unwrap();
    let burned = bench.store.burned(done(&claimed, "A1", Proof::Written), &stamp(12)).unwrap();
    assert!(burned.wants_eyes, "the first of a batch");
    look("a burn");
    bench.store.seen(&serial("A1"), Profile::ZERO, None, None, &stamp(13)).unwrap();
    look("one of two profiles seen");
    bench.store.seen(&serial("A1"), Profile::new(1), None, None, &stamp(14)).unwrap();
    look("both seen");

    let claimed = bench.claim(jobs[1], "A2").unwrap();
    bench.store.burned(done(&claimed, "A2", Proof::ReadBack), &stamp(15)).unwrap();
    look("a burn read back");
    bench.store.scrap(&serial("A2"), ImportedSeeds::Release, &stamp(16)).unwrap();
    look("a token scrapped, and its seed queued anew");

    for (job, on) in [(jobs[2], "A3"), (jobs[3], "A4")] {
        bench.claim(job, on).unwrap();
        bench.store.failed(job, "refused", &stamp(17)).unwrap();
    }
    look("two failures");
    bench.store.cancel_job(jobs[3], &stamp(18)).unwrap();
    look("a job called off");
    bench.store.retry("b", 9, &stamp(19)).unwrap();
    look("a retry");
    bench.claim(jobs[4], "A5").unwrap();
    bench.store.recover(&stamp(20)).unwrap();
    look("a restart");
    bench.store.import(ImportInto::Batch("b".into()), vec![bench.job(20)], None, &stamp(21)).unwrap();
    look("more jobs");
    bench.store.move_batch("b", BatchMove::Cancel, &stamp(22)).unwrap();
    look("the batch called off");
    seen.dedup();
    assert!(seen.len() > 20, "every move shows in the numbers");
}

#[test]
fn a_database_of_the_first_schema_keeps_its_numbers() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("kiln.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(STEPS[0]).unwrap();
    old.execute_batch(
        "PRAGMA user_version = 1; PRAGMA application_id = 1802071150;
         INSERT INTO batches VALUES (1, 'b', 'running', NULL,
             '{\"factory\":\"replace\",\"foreign\":\"ask\",\"seen\":{\"first\":1,\"every\":25}}', 0, NULL, NULL, NULL, 0);
         INSERT INTO tokens (serial, first_seen, last_seen) VALUES ('A1', 0, 0), ('A2', 0, 0), ('A3', 0, 0);
         INSERT INTO jobs (id, batch, position, state, serial, wants_eyes, moved_at, facts) VALUES
             (1, 1, 0, 'burned', 'A1', 1, 0, '{}'), (2, 1, 1, 'burned', 'A2', 0, 0, '{}'),
             (3, 1, 2, 'unfinished', 'A3', 0, 0, '{}'), (4, 1, 3, 'queued', NULL, 0, 0, '{}');
         INSERT INTO seeds VALUES (zeroblob(16), zeroblob(40), zeroblob(16), 20, 'imported', 'on-token', 'A1'),
             (randomblob(16), zeroblob(40), randomblob(16), 20, 'imported', 'on-token', 'A1'),
             (randomblob(16), zeroblob(40), randomblob(16), 20, 'imported', 'on-token', 'A2');
         INSERT INTO mappings (serial, profile, seed, parameters, origin, job, facts, since, proof, proof_at)
             SELECT bound_to, rowid, id, '{}', 'burned', CASE bound_to WHEN 'A1' THEN 1 ELSE 2 END, '{}', 0,
                 CASE rowid WHEN 1 THEN 'seen' WHEN 2 THEN 'written' ELSE 'read back' END, 0 FROM seeds;",
    )
    .unwrap();
    drop(old);
    drop(open(&path, UnixMillis(T0)).unwrap());
    let store = Store::open(&path, UnixMillis(T0)).unwrap();
    let raw = Connection::open(&path).unwrap();
    let [told, counted] = told_and_counted(&store, &raw, "b");
    assert_eq!(told, counted);
    assert_eq!((told.0.of(JobState::Burned), told.1.of(Proof::Written), told.1.waiting_for_eyes), (2, 1, 1));
    assert_eq!(store.job(JobId(1)).unwrap().unwrap().proof, Some(Proof::Written), "the weaker of two");
}

#[test]
fn what_is_next_begins_with_what_tokens_hold() {
    let bench = Bench::new();
    let jobs = bench.running("b", (1..=6).map(|number| bench.job(number)).collect());
    let others = bench.running("other", vec![bench.job(8)]);
    bench.burn(jobs[0], "A1");
    bench.claim(jobs[4], "A5").unwrap();
    bench.claim(others[0], "O1").unwrap();
    bench.claim(jobs[1], "A2").unwrap();
    bench.store.interrupted(jobs[1], "torn off", &stamp(11)).unwrap();
    let id = bench.store.batch_by_name("b").unwrap().unwrap().id;
    let queue = |limit| -> Vec<JobId> {
        bench.store.queue(id, limit).unwrap().into_iter().map(|job| job.id).collect()
    };
    assert_eq!(queue(50), [jobs[1], jobs[2], jobs[3], jobs[4], jobs[5]]);
    assert_eq!(queue(3), [jobs[1], jobs[2], jobs[4]], "what is begun is shown, however far down it stands");
    assert_eq!(queue(1), [jobs[1]]);
    assert_eq!(queue(0), []);
}

#[test]
fn a_job_is_neither_deleted_nor_made_half_way() {
    let bench = Bench::new();
    bench.running("b", vec![bench.job(1)]);
    let raw = bench.raw();
    raw.pragma_update(None, "foreign_keys", false).unwrap();
    let refused = |sql: &str| raw.execute(sql, []).unwrap_err().to_string();
    assert!(refused("DELETE FROM jobs").contains("history is kept"));
    let made = "INSERT INTO jobs (batch, position, state, moved_at, facts) VALUES (1, 1, 'failed', 0, '{}')";
    assert!(refused(made).contains("begins as queued"));
}
