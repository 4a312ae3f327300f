//! What a user reads when the AV layer is finished.

use tutk_av::Error;
use tutk_core::Full;

#[test]
fn each_reason_reads_differently_and_says_what_to_do() {
    let text = Error::LoginTimeout.to_string();
    assert!(text.contains("5 s") && text.contains("try again"), "{text}");
    assert_eq!(Error::from(Full).to_string(), Full.to_string());
    assert!(Full.to_string().contains("1500 bytes"));
}
