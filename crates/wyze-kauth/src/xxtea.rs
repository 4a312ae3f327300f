//! XXTEA on one block of 16 bytes, the only size the challenge has.

use zeroize::Zeroize;

const _: () = assert!(
    u16::from_ne_bytes([1, 0]) == 1,
    "the cipher reads words in the machine's own byte order, and the protocol's are little-endian"
);

/// `xxtea-nostd` reinterprets byte slices as words and is undefined for unaligned ones, so it only ever sees this.
#[repr(align(4))]
struct Aligned([u8; 16]);

/// Decrypts `block` in place. Neither argument needs any alignment.
pub fn decrypt16(key: &[u8; 16], block: &mut [u8; 16]) {
    let mut key = Aligned(*key);
    let mut words = Aligned(*block);
    xxtea_nostd::decrypt(&key.0, &mut words.0);
    *block = words.0;
    key.0.zeroize();
    words.0.zeroize();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alignment_of_the_arguments_does_not_matter() {
        // docs/protocol.md §7.1, xxtea_decrypt_go2rtc
        let key = b"GAgDiwVPg2E4GMke";
        let cipher = b"WERhJxb87WF3zgPa";
        let plain = hex::decode("c4a62ca1106417a5da02e162a5f06271").unwrap();
        for offset in 0..8 {
            let mut memory = [0u8; 48];
            memory[offset..offset + 16].copy_from_slice(key);
            memory[24 + offset..40 + offset].copy_from_slice(cipher);
            let (front, back) = memory.split_at_mut(24);
            let key = front[offset..offset + 16].as_array::<16>().unwrap();
            let block = back[offset..offset + 16].as_mut_array::<16>().unwrap();
            decrypt16(key, block);
            assert_eq!(block[..], plain, "offset {offset}");
        }
    }
}
