-- Where every 256th record of a long list stands, so that a page by number need not step over all before it.

CREATE TABLE milestones (
    list    {bytes} NOT NULL,          -- the list, as package_counts names it
    ordinal BIGINT NOT NULL,           -- how many records were put into the list up to and with this one
    id      {bytes} NOT NULL,
    PRIMARY KEY (list, ordinal)
);

-- Records below a list's last milestone that are gone.
CREATE TABLE milestone_gaps (
    list {bytes} NOT NULL,
    id   {bytes} NOT NULL,
    PRIMARY KEY (list, id)
);

-- Locked by those who delete (shared) and by those who lay milestones (alone).
INSERT INTO settings (name, value) VALUES ('milestones', '') ON CONFLICT DO NOTHING;
