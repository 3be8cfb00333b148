use super::*;

#[test]
fn regions() {
    for (name, is_one) in [
        ("us-east-1", true),
        ("ap-southeast-5", true),
        ("us-gov-east-1", true),
        ("mars", false),
        ("us-east", false),
        ("us--1", false),
        ("us-east-1/x", false),
        ("US-EAST-1", false),
        ("", false),
    ] {
        assert_eq!(is_region(name), is_one, "{name}");
    }
}
