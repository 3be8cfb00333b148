//! Two programs for the tests: the launcher that encoders are confined by, and in place of ffmpeg an encoder that an
//! upload has taken over.

#[cfg(target_os = "linux")]
mod intruder;

fn main() {
    transcode::confine::launch_if_asked();
    // This asks whether ffmpeg runs at all.
    if std::env::args().nth(1).is_some_and(|first| first == "-version") {
        return;
    }
    #[cfg(target_os = "linux")]
    intruder::intrude();
}
