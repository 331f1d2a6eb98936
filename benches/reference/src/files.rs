//! What a disk and a processor need at least for an upload.

use std::error::Error;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Instant;

use md5::Md5;
use sha2::{Digest, Sha256};

const CHUNK_BYTES: usize = 1 << 20;

pub fn copy(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    let (mut source, mut copy) = (File::open(from)?, File::create(to)?);
    each_chunk(&mut source, |chunk| Ok(copy.write_all(chunk)?))?;
    copy.sync_all()?;
    println!("{:.4}", began.elapsed().as_secs_f64());
    Ok(())
}

pub fn hash(file: &Path) -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    let (mut sha256, mut md5) = (Sha256::new(), Md5::new());
    each_chunk(&mut File::open(file)?, |chunk| {
        sha256.update(chunk);
        md5.update(chunk);
        Ok(())
    })?;
    std::hint::black_box((sha256.finalize(), md5.finalize()));
    println!("{:.4}", began.elapsed().as_secs_f64());
    Ok(())
}

fn each_chunk(
    file: &mut File,
    mut take: impl FnMut(&[u8]) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(()),
            read => take(&chunk[..read])?,
        }
    }
}
