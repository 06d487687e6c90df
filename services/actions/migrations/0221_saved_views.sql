-- What somebody wants to see again: a page of the console with its filters, sorting, groups and columns. Addresses are
-- refused when it is written (services/actions/views/saved), so that nothing has to be found when one is erased.
CREATE TABLE saved_views (
    id uuid PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    owner text COLLATE "C" NOT NULL,                -- the user
    page text COLLATE "C" NOT NULL,                 -- path of the page, such as /blocked
    name text NOT NULL,
    query text NOT NULL,                            -- as in the page's address
    shared boolean NOT NULL,                        -- whether all users of the tenant see it
    made_at timestamptz NOT NULL
);
CREATE INDEX saved_views_page ON saved_views (tenant, page, owner);
