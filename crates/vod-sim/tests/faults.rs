//! The simulation itself: all is well under faults, and each safeguard that is left out is missed.

use std::process::{Command, Output};

/// Few uploads and many faults.
const STORM: &[&str] = &["--uploads", "120", "--faults", "4", "--seed", "2"];
/// No answer is lost and tokens are forgotten at once: only leases keep two deliveries apart.
const LEASES: &[&str] = &[
    "--uploads",
    "150",
    "--faults",
    "8",
    "--seed",
    "1",
    "--heard",
    "--token-seconds",
    "1",
    "--removals",
    "0",
];
/// CreateJob refuses most calls, and nothing but the queue brings them again.
const QUEUES: &[&str] = &[
    "--uploads",
    "120",
    "--faults",
    "4",
    "--seed",
    "2",
    "--queues-only",
    "--create-rate",
    "2",
    "--removals",
    "0",
];
/// So many deaths that some fall between CreateJob and the record.
const DEATHS: &[&str] = &[
    "--uploads",
    "120",
    "--faults",
    "10",
    "--seed",
    "2",
    "--removals",
    "0",
];

/// So many slow answers that repairs are cut off in the middle.
const SLOW: &[&str] = &["--uploads", "150", "--faults", "12", "--removals", "0"];

/// A fifth of the videos are taken down, half of them while they wait for their job.
const REMOVALS: &[&str] = &[
    "--uploads",
    "150",
    "--faults",
    "4",
    "--seed",
    "2",
    "--removals",
    "5",
    "--create-rate",
    "2",
];

fn simulate(options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vod-sim"));
    command.args(options).output().expect("vod-sim starts")
}

#[track_caller]
fn well(options: &[&str]) {
    let output = simulate(options);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

/// With the safeguard all is well, and without it something is found.
#[track_caller]
fn missed(options: &[&str], safeguard: &str) {
    let output = simulate(&[options, &["--mutate", safeguard]].concat());
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(1),
        "without it nothing was found: {said}"
    );
    assert!(said.contains("FAULT"), "{said}");
}

#[test]
fn no_upload_is_lost_and_none_encoded_twice() {
    // `make sim` does the same with 100,000 and three seeds; without optimization an upload takes 70 ms of CPU.
    well(&["--uploads", "500", "--seed", "7"]);
}

#[test]
fn all_is_well_in_a_storm() {
    well(STORM);
}

#[test]
fn leases_keep_deliveries_apart() {
    well(LEASES);
}

#[test]
fn queues_bring_again_what_was_refused() {
    well(QUEUES);
}

#[test]
fn deaths_between_job_and_record_make_no_second_job() {
    well(DEATHS);
}

/// The repair is given up, and its job is heard of afterwards.
#[test]
fn a_repair_that_is_cut_off_after_createjob_makes_no_second_job() {
    well(&[SLOW, &["--seed", "7"]].concat());
}

#[test]
fn the_job_of_an_upload_that_was_replaced_is_on_record() {
    well(&[SLOW, &["--seed", "24"]].concat());
}

#[test]
fn claims_without_if_none_match_are_missed() {
    missed(STORM, "no-if-none-match");
}

#[test]
fn changes_without_if_match_are_missed() {
    // A removal would never end: it repeats until the record that it deletes is the one that it read.
    missed(&[STORM, &["--removals", "0"]].concat(), "no-if-match");
}

#[test]
fn leases_that_nobody_checks_are_missed() {
    missed(LEASES, "no-lease");
}

#[test]
fn ends_that_do_not_stay_are_missed() {
    missed(STORM, "no-terminal");
}

#[test]
fn batch_failures_that_nobody_reports_are_missed() {
    missed(QUEUES, "no-batch-failures");
}

#[test]
fn a_search_that_nobody_makes_is_missed() {
    missed(DEATHS, "no-search");
}

#[test]
fn reconcile_is_missed() {
    missed(STORM, "no-reconcile");
}

#[test]
fn removed_videos_stay_removed_and_no_job_goes_on() {
    well(REMOVALS);
}

#[test]
fn removals_without_a_tombstone_are_noticed() {
    missed(REMOVALS, "no-tombstone");
}

#[test]
fn jobs_that_go_on_after_a_removal_are_noticed() {
    missed(REMOVALS, "no-cancel");
}
