//! The audit log: every act is told, and the first altered entry is found.

use super::*;

/// A log of five entries, and the file open for spoiling.
fn audited() -> (Bench, Connection) {
    let bench = Bench::new();
    for number in 1..=5 {
        bench
            .store
            .audit_append(
                "note",
                Some(&serial("A1")),
                serde_json::json!({ "number": number }),
                &stamp(number),
            )
            .unwrap();
    }
    let raw = bench.raw();
    raw.execute_batch("DROP TRIGGER audit_is_not_changed; DROP TRIGGER audit_is_not_cut;").unwrap();
    (bench, raw)
}

#[test]
fn an_untouched_log_holds_together_and_shows_latest_first() {
    let (bench, _) = audited();
    let head = bench.store.audit_verify(&[]).unwrap();
    assert_eq!((head.seq, head), (5, bench.store.audit_head().unwrap()));
    let page = bench.store.audit_page("", Page { offset: 1, limit: 2 }).unwrap();
    assert_eq!((page.items.iter().map(|entry| entry.seq).collect::<Vec<_>>(), page.total), (vec![4, 3], 5));
    assert_eq!(page.items[0].clock, "synchronised (error at most 5 ms)");
    assert!(Bench::new().store.audit_verify(&[]).is_ok_and(|head| head.seq == 0));
}

#[test]
fn the_first_altered_entry_is_named() {
    for change in [
        "at = at + 1",
        "who = 'eve'",
        "what = 'nothing'",
        "serial = NULL",
        "serial = 'A2'",
        "clock = 'simulated'",
        "detail = '{}'",
        "hash = zeroblob(32)",
        "previous = zeroblob(32)",
        "who = who || what, what = ''",
    ] {
        let (bench, raw) = audited();
        raw.execute(&format!("UPDATE audit SET {change} WHERE seq = 3"), []).unwrap();
        let broken = bench.store.audit_verify(&[]);
        assert!(matches!(broken, Err(Broken::Entry { seq: 3, .. })), "{change}: {broken:?}");
    }
}

#[test]
fn a_missing_entry_is_named() {
    for (gone, first) in [(1, 1), (4, 4)] {
        let (bench, raw) = audited();
        raw.execute("DELETE FROM audit WHERE seq = ?1", [gone]).unwrap();
        assert!(matches!(bench.store.audit_verify(&[]), Err(Broken::Entry { seq, .. }) if seq == first));
    }
}

#[test]
fn only_a_head_kept_elsewhere_shows_a_cut_end() {
    let (bench, raw) = audited();
    let kept = bench.store.audit_head().unwrap();
    assert!(bench.store.audit_verify(&[kept]).is_ok());
    raw.execute("DELETE FROM audit WHERE seq = 5", []).unwrap();
    assert!(bench.store.audit_verify(&[]).is_ok(), "the chain itself can't tell");
    assert!(matches!(bench.store.audit_verify(&[kept]), Err(Broken::Anchor(head)) if head == kept));
    bench.store.audit_append("note", None, serde_json::json!({}), &stamp(9)).unwrap();
    assert!(matches!(bench.store.audit_verify(&[kept]), Err(Broken::Anchor(_))), "rewritten");
}

#[test]
fn every_act_is_told_with_who_when_and_the_clock() {
    let bench = Bench::new();
    let jobs = bench.running("b", vec![bench.job(1)]);
    bench.burn(jobs[0], "A1");
    let told: Vec<_> = bench.store.audit_page("", Page::first(50)).unwrap().items;
    let words: Vec<_> = told.iter().rev().map(|entry| entry.what.as_str()).collect();
    assert_eq!(
        words,
        [
            "batch made",
            "imported",
            "batch running",
            "token met",
            "job claimed",
            "job burned",
            "token burned",
            "batch done"
        ]
    );
    assert!(told.iter().all(|entry| entry.who == "ada" && entry.clock.starts_with("synchronised")));
    bench.store.audit_verify(&[]).unwrap();
}
