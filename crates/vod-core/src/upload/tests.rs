use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn token(subject: Option<&str>, prefix: Option<&str>) -> Uploader {
    Uploader {
        subject: subject.map(str::to_owned),
        prefix: prefix.map(str::to_owned),
        max_bytes: None,
    }
}

#[test]
fn file_names() {
    let long = "x".repeat(NAME_MAX);
    for (name, expected) in [
        ("film.mp4", Ok("film.mp4")),
        ("한국 & café+1.mp4", Ok("한국 & café+1.mp4")),
        // The same in decomposed form, as older Macs write it.
        ("cafe\u{301}.mp4", Ok("caf\u{e9}.mp4")),
        ("a..b.mp4", Ok("a..b.mp4")),
        (".hidden", Ok(".hidden")),
        (long.as_str(), Ok(long.as_str())),
        ("", Err(Refusal::NameEmpty)),
        (".", Err(Refusal::NameIsPath)),
        ("..", Err(Refusal::NameIsPath)),
        ("a/b.mp4", Err(Refusal::NameIsPath)),
        ("../jobs/x.json", Err(Refusal::NameIsPath)),
        ("..\\x", Err(Refusal::NameIsPath)),
        ("a\u{0}b", Err(Refusal::NameControl)),
        ("a\nb", Err(Refusal::NameControl)),
        ("a\u{85}b", Err(Refusal::NameControl)),
        ("a\u{ffff}b", Err(Refusal::NameControl)),
        (&"x".repeat(1_000), Err(Refusal::NameTooLong)),
    ] {
        assert_eq!(file_name(name), expected.map(str::to_owned), "{name}");
    }
}

#[test]
fn a_name_that_exists_gets_a_number_before_its_suffix() {
    let first = |name: &str, count: usize| -> Vec<String> {
        keys("input/a/", name, NOW).unwrap().take(count).collect()
    };
    assert_eq!(
        first("film.mp4", 3),
        ["input/a/film.mp4", "input/a/film (2).mp4", "input/a/film (3).mp4"]
    );
    assert_eq!(first(".hidden", 2)[1], "input/a/.hidden (2)");
    assert_eq!(first("film", 2)[1], "input/a/film (2)");
    let at = Timestamp::from_millisecond(1_764_353_213_123).unwrap();
    let all: Vec<_> = keys("input/", "v.mp4", at).unwrap().collect();
    assert_eq!(all[9], "input/v (1764353213123).mp4");
    assert_eq!(all.len(), 13);
    // 255 characters of three bytes fit, of four they do not.
    assert!(keys("input/", &"한".repeat(NAME_MAX), NOW).is_ok());
    let four = keys("input/", &"𝄞".repeat(NAME_MAX), NOW).map(Iterator::count);
    assert_eq!(four, Err(Refusal::NameTooLong));
}

#[test]
fn the_folder_of_a_token() {
    for (prefix, expected) in [
        (None, Ok("input/")),
        (Some(""), Ok("input/")),
        (Some("users/7/"), Ok("input/users/7/")),
        (Some("users/7"), Err(Refusal::TokenPrefix)),
        (Some("/"), Err(Refusal::TokenPrefix)),
        (Some("/users/"), Err(Refusal::TokenPrefix)),
        (Some("users//7/"), Err(Refusal::TokenPrefix)),
        (Some("../jobs/"), Err(Refusal::TokenPrefix)),
        (Some("a/../b/"), Err(Refusal::TokenPrefix)),
        (Some("cafe\u{301}/"), Err(Refusal::TokenPrefix)),
    ] {
        assert_eq!(
            token(None, prefix).folder(),
            expected.map(str::to_owned),
            "{prefix:?}"
        );
    }
}

#[test]
fn who_may_continue_a_session() {
    let (anna, bert) = (Some("anna"), Some("bert"));
    let (one, two) = (Some("1/"), Some("2/"));
    for (subject, prefix, other, others, expected) in [
        (anna, None, anna, None, Ok(())),
        (anna, None, bert, None, Err(Refusal::Foreign)),
        (anna, None, None, None, Err(Refusal::Foreign)),
        (None, None, anna, None, Err(Refusal::Foreign)),
        (None, one, None, one, Ok(())),
        (None, one, None, two, Err(Refusal::Foreign)),
        (None, one, None, None, Err(Refusal::Foreign)),
        // The token was limited after the upload started.
        (anna, one, anna, two, Err(Refusal::Foreign)),
        (anna, one, anna, None, Ok(())),
    ] {
        let uploader = token(subject, prefix);
        let key = format!("{}film.mp4", uploader.folder().unwrap());
        let mut session = uploader.session(&key, 1, NOW);
        session.upload_id = "u".to_owned();
        let case = format!("{subject:?} {prefix:?} {other:?} {others:?}");
        assert_eq!(session.check(&token(other, others), "u"), expected, "{case}");
        assert_eq!(session.check(&uploader, "v"), Err(Refusal::Missing), "{case}");
    }
}

#[test]
fn sizes() {
    let limited = Uploader {
        max_bytes: Some(100),
        ..Uploader::default()
    };
    assert_eq!(limited.check_size(100), Ok(()));
    assert_eq!(limited.check_size(101), Err(Refusal::TokenSize(100)));
    assert_eq!(limited.check_size(0), Err(Refusal::Size));
    assert_eq!(Uploader::default().check_size(SIZE_MAX), Ok(()));
    assert_eq!(Uploader::default().check_size(SIZE_MAX + 1), Err(Refusal::Size));
    let plan = Plan::of(SIZE_MAX);
    assert_eq!((plan.part_size, plan.count()), (525 << 20, 9_987));
    let no_part = Refusal::NoPart {
        number: 10_001,
        count: 9_987,
    };
    assert_eq!(plan.length(10_001), Err(no_part));
    assert_eq!(
        Plan::of(1).length(0),
        Err(Refusal::NoPart { number: 0, count: 1 })
    );
}

fn complete(plan: Plan) -> (Vec<ListedPart>, Vec<StoredPart>) {
    let numbers = 1..=plan.count();
    let etag = |number: u32| format!("\"{number:032x}\"");
    let stored = numbers.clone().map(|part_number| StoredPart {
        part_number,
        size: plan.length(part_number).unwrap(),
        etag: etag(part_number),
    });
    let listed = numbers.map(|part_number| ListedPart {
        part_number,
        etag: etag(part_number),
    });
    (listed.collect(), stored.collect())
}

#[test]
fn an_upload_is_complete_with_each_part_once_and_whole() {
    let plan = Plan::of((40 << 20) + 1);
    let (listed, stored) = complete(plan);
    assert_eq!(
        plan.check(listed.iter().rev().cloned().collect(), &stored),
        Ok(())
    );
    assert_eq!(
        plan.check(listed[..2].to_vec(), &stored),
        Err(Refusal::PartMissing(3))
    );
    assert_eq!(
        plan.check(listed[1..].to_vec(), &stored),
        Err(Refusal::PartMissing(1))
    );
    assert_eq!(
        plan.check(listed.clone(), &stored[..2]),
        Err(Refusal::PartMissing(3))
    );
    let mut twice = listed.clone();
    twice.push(listed[2].clone());
    assert_eq!(plan.check(twice, &stored), Err(Refusal::PartMissing(3)));
    let mut beyond = listed.clone();
    beyond.push(ListedPart {
        part_number: 10_001,
        etag: String::new(),
    });
    let no_part = Refusal::NoPart {
        number: 10_001,
        count: 3,
    };
    assert_eq!(plan.check(beyond, &stored), Err(no_part));
    let mut short = stored.clone();
    short[0].size -= 1;
    let wrong = Refusal::PartSize {
        number: 1,
        found: (16 << 20) - 1,
        expected: 16 << 20,
    };
    assert_eq!(plan.check(listed.clone(), &short), Err(wrong));
    let mut other = listed;
    other[1].etag = "x".to_owned();
    assert_eq!(plan.check(other, &stored), Err(Refusal::PartChanged(2)));
}

proptest! {
    #[test]
    fn parts_keep_the_limits_of_s3_and_add_up(size in 1..=SIZE_MAX) {
        let plan = Plan::of(size);
        let count = plan.count();
        prop_assert!(count <= PARTS_MAX && plan.part_size >= 5 << 20 && plan.part_size <= 5 << 30);
        let last = plan.length(count).unwrap();
        prop_assert_eq!(u64::from(count - 1) * plan.part_size + last, size);
    }

    #[test]
    fn names_are_good_names_in_form_c_and_stay_so(name in "\\PC{0,300}") {
        if let Ok(first) = file_name(&name) {
            prop_assert_eq!(file_name(&first), Ok(first));
        }
    }
}
