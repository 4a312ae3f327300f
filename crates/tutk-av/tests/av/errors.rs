//! What a user reads when the AV layer is finished.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tutk_av::{Error, Initiator, LoginConfig};
use tutk_core::{Cx, Full, Instant, Layer, TxBuf};

#[test]
fn each_reason_reads_differently_and_says_what_to_do() {
    let text = Error::LoginTimeout.to_string();
    assert!(text.contains("5 s") && text.contains("try again"), "{text}");
    assert_eq!(Error::from(Full).to_string(), Full.to_string());
    assert!(Full.to_string().contains("1500 bytes"));
}

#[test]
fn a_transmit_buffer_that_is_too_small_is_an_error() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let login = LoginConfig {
        user: b"admin",
        password: b"sim-enr-16byte!!",
        resend: false,
    };
    let mut app = Initiator::new(&login, &mut [], cx);
    let mut memory = [0; 1500];
    assert_eq!(
        app.poll_transmit(cx, &mut TxBuf::new(&mut memory[..100])),
        Err(Error::Full)
    );
    // Nothing of it was written, and it goes out where there is room.
    assert_eq!(app.stats().tx_login, 0);
    assert_eq!(
        app.poll_transmit(cx, &mut TxBuf::new(&mut memory)),
        Ok(true)
    );
}
