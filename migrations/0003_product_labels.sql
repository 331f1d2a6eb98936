-- A word by which a door lists its products; none means that the door need not tell the product from others.

ALTER TABLE products ADD COLUMN label TEXT NOT NULL DEFAULT '';
CREATE INDEX products_label ON products (tenant_id, label, id);

UPDATE products SET label = 'iothub' WHERE door = 'aliyun' AND extra LIKE '%"AliyunCommodityCode":"iothub"%';

-- Claims on names can be told from others, so that they go along when another door renames the package.
UPDATE package_claims SET claim = 'name/' || claim WHERE door = 'aliyun' AND claim LIKE 'FirmwareName:%';
