//! An intercom panel on an ESP32-C3. NOT RUN on hardware by us: it is compiled and linked only.
//!
//! ```text
//!   wifi ── network ── panel ◄── buttons      one task each, one executor
//!                      ▲   ▼
//!             microphone   speaker            I2S over DMA
//! ```
#![no_std]
#![no_main]

mod button;
mod config;
mod g711;
mod i2s;
mod panel;
mod sound;

use defmt::{Debug2Format, error, info, warn};
#[cfg(feature = "rtt")]
use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_net::{Runner, StackResources};
use embassy_time::{Duration, Timer};
use esp_backtrace as _;
use esp_hal::clock::CpuClock;
use esp_hal::gpio::{Input, InputConfig, Pull};
use esp_hal::i2s::master::{Channels, Config, DataFormat, I2s};
use esp_hal::interrupt::software::SoftwareInterruptControl;
use esp_hal::ram;
use esp_hal::rng::Trng;
use esp_hal::time::{Instant, Rate};
use esp_hal::timer::timg::TimerGroup;
#[cfg(feature = "serial")]
use esp_println as _;
use esp_radio::wifi::sta::StationConfig;
use esp_radio::wifi::{self, Interface, WifiController};
use static_cell::StaticCell;

#[cfg(any(
    all(feature = "rtt", feature = "serial"),
    not(any(feature = "rtt", feature = "serial"))
))]
compile_error!("status goes to one place: enable `rtt` or `serial`");

esp_bootloader_esp_idf::esp_app_desc!();
// Not of embassy-time, whose driver a message may precede.
defmt::timestamp!(
    "{=u64:us}",
    Instant::now().duration_since_epoch().as_micros()
);

#[esp_rtos::main]
async fn main(spawner: Spawner) -> ! {
    let board = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    // Only the radio's driver allocates.
    esp_alloc::heap_allocator!(#[ram(reclaimed)] size: 64 * 1024);
    esp_alloc::heap_allocator!(size: 36 * 1024);
    let timers = TimerGroup::new(board.TIMG0);
    let software = SoftwareInterruptControl::new(board.SW_INTERRUPT);
    esp_rtos::start(timers.timer0, software.software_interrupt0);

    let (controller, interfaces) = wifi::new(board.WIFI, Default::default()).expect("Wi-Fi");
    // Its noise is that of the radio, which therefore has to be on.
    let rng = Trng::try_new().expect("the radio is on");
    static RESOURCES: StaticCell<StackResources<3>> = StaticCell::new();
    let (stack, runner) = embassy_net::new(
        interfaces.station,
        embassy_net::Config::dhcpv4(Default::default()),
        RESOURCES.init(StackResources::new()),
        u64::from(rng.random()) << 32 | u64::from(rng.random()),
    );

    let slots = Config::new_tdm_philips()
        .with_sample_rate(Rate::from_hz(sound::RATE))
        .with_data_format(DataFormat::Data32Channel32)
        .with_channels(Channels::STEREO);
    let i2s = I2s::new(board.I2S0, board.DMA_CH0, slots)
        .expect("I2S")
        .into_async();
    let (heard, heard_chain, said, said_chain) =
        esp_hal::dma_circular_buffers_chunk_size!(i2s::RING, i2s::RING, i2s::CHUNK);
    let microphone = i2s
        .i2s_rx
        .with_bclk(board.GPIO0)
        .with_ws(board.GPIO1)
        .with_din(board.GPIO3)
        .build(heard_chain);
    let speaker = i2s
        .i2s_tx
        .with_bclk(board.GPIO4)
        .with_ws(board.GPIO5)
        .with_dout(board.GPIO6)
        .build(said_chain);
    let to_ground = InputConfig::default().with_pull(Pull::Up);
    let buttons = panel::Buttons {
        action: Input::new(board.GPIO9, to_ground),
        talk: Input::new(board.GPIO10, to_ground),
    };

    spawner.spawn(connect(controller).expect("first"));
    spawner.spawn(network(runner).expect("first"));
    spawner.spawn(i2s::microphone(microphone, heard).expect("first"));
    spawner.spawn(i2s::speaker(speaker, said).expect("first"));
    panel::run(stack, rng, buttons).await
}

/// Stays on the wireless network.
#[embassy_executor::task]
async fn connect(mut controller: WifiController<'static>) {
    let station = StationConfig::default()
        .with_ssid(config::SSID)
        .with_password(config::PASSWORD.into());
    if let Err(error) = controller.set_config(&wifi::Config::Station(station)) {
        error!(
            "Wi-Fi: {}: check WIFI_SSID and WIFI_PASSWORD",
            Debug2Format(&error)
        );
        return;
    }
    loop {
        match controller.connect_async().await {
            Ok(_) => {
                info!("Wi-Fi: connected");
                let _ = controller.wait_for_disconnect_async().await;
                warn!("Wi-Fi: gone");
            }
            Err(error) => warn!("Wi-Fi: {}", Debug2Format(&error)),
        }
        Timer::after(Duration::from_secs(5)).await;
    }
}

/// Moves packets.
#[embassy_executor::task]
async fn network(mut runner: Runner<'static, Interface<'static>>) -> ! {
    runner.run().await
}
