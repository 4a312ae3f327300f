//! virtio-net for smoltcp, over the driver of `virtio-drivers`.

use core::cell::RefCell;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

use smoltcp::phy::{DeviceCapabilities, Medium, RxToken, TxToken};
use virtio_drivers::device::net::VirtIONetRaw;
use virtio_drivers::transport::mmio::{MmioTransport, VirtIOHeader};
use virtio_drivers::transport::{DeviceType, Transport};
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

/// Slots for virtio devices: registers of 4 KiB each, interrupts from 1 on.
const SLOTS: usize = 0x1000_1000;
const SLOT_SIZE: usize = 0x1000;
const SLOT_COUNT: usize = 8;

/// Descriptors a queue; every receive buffer takes one.
const QUEUE: usize = 16;
/// An Ethernet frame and the header of virtio.
const BUFFER: usize = 1536;
/// Memory that the device reads and writes: two queues, a page or two each.
const PAGES: usize = 8;

#[repr(C, align(4096))]
struct Arena([u8; PAGES * PAGE_SIZE]);

static mut ARENA: Arena = Arena([0; PAGES * PAGE_SIZE]);
static ARENA_USED: AtomicUsize = AtomicUsize::new(0);

/// Where the driver gets memory: pages are handed out once and never come back, and addresses are what they seem.
struct Memory;

// SAFETY: pages come from a static of their own, aligned and zeroed, none twice; without an MMU physical and virtual
// addresses are the same.
unsafe impl Hal for Memory {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let first = ARENA_USED.fetch_add(pages, Ordering::Relaxed);
        if first + pages > PAGES {
            // The driver takes address 0 for a refusal.
            return (0, NonNull::dangling());
        }
        // SAFETY: within the arena, as was just seen.
        let page = unsafe { (&raw mut ARENA).cast::<u8>().add(first * PAGE_SIZE) };
        let address = page as usize as PhysAddr;
        (address, NonNull::new(page).unwrap_or(NonNull::dangling()))
    }

    unsafe fn dma_dealloc(_: PhysAddr, _: NonNull<u8>, _: usize) -> i32 {
        0
    }

    unsafe fn mmio_phys_to_virt(address: PhysAddr, _: usize) -> NonNull<u8> {
        NonNull::new(address as usize as *mut u8).unwrap_or(NonNull::dangling())
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        buffer.cast::<u8>().as_ptr() as usize as PhysAddr
    }

    unsafe fn unshare(_: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {}
}

type Driver = VirtIONetRaw<Memory, MmioTransport<'static>, QUEUE>;

/// A receive buffer that the device may write to at any moment, unless its token says otherwise.
struct Buffers([[u8; BUFFER]; QUEUE]);

/// The network device.
pub(crate) struct Net {
    /// Both tokens of a reception need it, one after the other.
    driver: RefCell<Driver>,
    buffers: RefCell<&'static mut Buffers>,
    /// Which buffer lies under which token.
    owner: [usize; QUEUE],
    frame: RefCell<[u8; BUFFER]>,
}

impl Net {
    /// The network device and its interrupt. Once.
    pub(crate) fn find() -> Option<(Self, usize)> {
        static mut BUFFERS: Buffers = Buffers([[0; BUFFER]; QUEUE]);
        static TAKEN: AtomicUsize = AtomicUsize::new(0);
        if TAKEN.fetch_add(1, Ordering::Relaxed) > 0 {
            return None;
        }
        let (slot, transport) = (0..SLOT_COUNT).find_map(|slot| {
            let header = NonNull::new((SLOTS + slot * SLOT_SIZE) as *mut VirtIOHeader)?;
            // SAFETY: the machine's slots, each used by one transport only.
            let transport = unsafe { MmioTransport::new(header, SLOT_SIZE) }.ok()?;
            (transport.device_type() == DeviceType::Network).then_some((slot, transport))
        })?;
        // SAFETY: `TAKEN` lets only one through.
        let buffers = unsafe { (&raw mut BUFFERS).as_mut() }?;
        let mut driver = Driver::new(transport).ok()?;
        let mut owner = [0; QUEUE];
        for (number, buffer) in buffers.0.iter_mut().enumerate() {
            // SAFETY: it is not touched until `receive_complete`.
            let token = unsafe { driver.receive_begin(buffer) }.ok()?;
            owner[usize::from(token)] = number;
        }
        driver.enable_interrupts();
        let net = Self {
            driver: RefCell::new(driver),
            buffers: RefCell::new(buffers),
            owner,
            frame: RefCell::new([0; BUFFER]),
        };
        Some((net, slot + 1))
    }

    pub(crate) fn mac(&self) -> [u8; 6] {
        self.driver.borrow().mac_address()
    }

    pub(crate) fn has_received(&self) -> bool {
        self.driver.borrow().poll_receive().is_some()
    }

    pub(crate) fn acknowledge(&mut self) {
        self.driver.get_mut().ack_interrupt();
    }

    pub(crate) fn receive(&mut self) -> Option<(Receive<'_>, Transmit<'_>)> {
        let token = self.driver.get_mut().poll_receive()?;
        Some((Receive { net: self, token }, Transmit { net: self }))
    }

    pub(crate) fn transmit(&mut self) -> Transmit<'_> {
        Transmit { net: self }
    }

    pub(crate) fn capabilities() -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities
    }
}

/// A frame that has come.
pub(crate) struct Receive<'a> {
    net: &'a Net,
    token: u16,
}

impl RxToken for Receive<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        let mut buffers = self.net.buffers.borrow_mut();
        let buffer = &mut buffers.0[self.net.owner[usize::from(self.token)]];
        // SAFETY: the buffer that was lent under this token.
        let received = unsafe {
            self.net
                .driver
                .borrow_mut()
                .receive_complete(self.token, buffer)
        };
        let (header, len) = received.unwrap_or((0, 0));
        let answer = read(&buffer[header..header + len]);
        // The queue gives the token that has just become free again, so the owner stays.
        // SAFETY: it is not touched until `receive_complete`.
        let lent = unsafe { self.net.driver.borrow_mut().receive_begin(buffer) };
        assert_eq!(lent.ok(), Some(self.token), "the queue gives another token");
        answer
    }
}

/// Room for a frame to send.
pub(crate) struct Transmit<'a> {
    net: &'a Net,
}

impl TxToken for Transmit<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let mut frame = self.net.frame.borrow_mut();
        let frame = &mut frame[..len];
        let answer = write(frame);
        // It waits until the device has it. A frame that the device refuses is lost like any other.
        let _ = self.net.driver.borrow_mut().send(frame);
        answer
    }
}
