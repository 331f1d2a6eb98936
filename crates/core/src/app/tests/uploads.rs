use bytes::Bytes;

use super::*;

#[tokio::test]
async fn an_upload_in_pieces_goes_on_where_it_stopped() {
    let town = Town::new().await;
    let mut new = town.new_upload();
    new.declared_bytes = Some(11);
    let upload = town.app.create_upload(&town.admin, new).await.unwrap();
    for (offset, bytes) in [(0, &b"hello "[..]), (6, &b"world"[..])] {
        assert_eq!(town.app.received_bytes(&upload).await.unwrap(), offset);
        let wrong = town.app.receive_piece(upload.clone(), offset + 1).await;
        assert!(matches!(wrong.err(), Some(Error::OutOfStep { next_byte }) if next_byte == offset));
        let mut receiving = town.app.receive_piece(upload.clone(), offset).await.unwrap();
        receiving.write(Bytes::from_static(bytes)).await.unwrap();
        receiving.finish().await.unwrap();
    }
    let complete = town.app.show_upload(&town.admin, &upload.locator).await.unwrap().complete.unwrap();
    assert_eq!(complete.size_bytes, 11);
}

#[tokio::test]
async fn an_upload_that_is_too_large_or_broken_off_leaves_nothing() {
    let town = Town::new().await;
    let mut new = town.new_upload();
    new.max_bytes = 4;
    let upload = town.app.create_upload(&town.admin, new).await.unwrap();
    let mut receiving = town.app.receive_whole(upload.clone()).await.unwrap();
    let written = receiving.write(Bytes::from_static(b"hello")).await;
    assert!(matches!(written, Err(Error::TooLarge { limit_bytes: 4 })));
    drop(receiving);
    let mut receiving = town.app.receive_whole(upload.clone()).await.unwrap();
    receiving.write(Bytes::from_static(b"hell")).await.unwrap();
    drop(receiving);
    assert!(town.app.show_upload(&town.admin, &upload.locator).await.unwrap().complete.is_none());
    assert_eq!(town.app.inner.blobs.list(None, 10).await.unwrap().len(), 0);
}

#[tokio::test]
async fn what_no_package_uses_is_swept_and_what_one_uses_stays() {
    let town = Town::new().await;
    let product = town.product("meter").await;
    let used = town.upload(b"used").await;
    town.upload(b"unused").await;
    let new = new_package(&product, "1", FileSource::Upload { locator: used });
    let package = town.app.create_package(&town.admin, new).await.unwrap();
    // Bytes are dated by the file system's clock, so the sweep must look from well after now.
    town.clock.advance(100 * 365 * 24 * 3_600_000);
    let swept = town.app.sweep().await.unwrap();
    assert_eq!((swept.uploads, swept.blobs), (1, 1));
    assert!(town.app.open_file(&town.admin, &package.id, 0).await.is_ok());
    town.app.delete_package(&town.admin, &package.id).await.unwrap();
    assert_eq!(town.app.sweep().await.unwrap().blobs, 1);
}

#[tokio::test]
async fn pieces_stay_as_long_as_their_upload_is_on_record() {
    let town = Town::new().await;
    let mut new = town.new_upload();
    new.lifetime_ms = 1000 * 365 * 24 * 3_600_000;
    let upload = town.app.create_upload(&town.admin, new).await.unwrap();
    let mut receiving = town.app.receive_piece(upload.clone(), 0).await.unwrap();
    receiving.write(Bytes::from_static(b"hello ")).await.unwrap();
    receiving.finish().await.unwrap();
    // The file was written long ago by our clock, far longer than parts stay that belong to nothing.
    town.clock.advance(100 * 365 * 24 * 3_600_000);
    assert_eq!(town.app.sweep().await.unwrap(), Swept::default());
    assert_eq!(town.app.received_bytes(&upload).await.unwrap(), 6);
    town.clock.advance(1000 * 365 * 24 * 3_600_000);
    assert_eq!(town.app.sweep().await.unwrap().uploads, 1);
    assert_eq!(town.app.inner.blobs.list_staged().await.unwrap(), []);
}

#[tokio::test]
async fn an_upload_is_open_for_its_time_and_usable_for_longer() {
    let town = Town::new().await;
    let upload = town.app.create_upload(&town.admin, town.new_upload()).await.unwrap();
    town.clock.advance(60_000);
    let late = town.app.receive_whole(upload.clone()).await;
    assert!(matches!(late.err(), Some(Error::Expired { noun: Noun::Upload })));
    assert!(town.app.show_upload(&town.admin, &upload.locator).await.is_ok());
    town.clock.advance(3_600_000);
    assert!(town.app.show_upload(&town.admin, &upload.locator).await.is_err());
}
