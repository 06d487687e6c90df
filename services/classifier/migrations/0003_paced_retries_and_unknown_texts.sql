-- Retries at each tenant's own schedule, paced by receiving domain, and in operators' hands; unknown texts by template.

ALTER TABLE retries ADD COLUMN contact text COLLATE "C";
ALTER TABLE retries ADD COLUMN kept_due timestamptz;   -- when it was due before an operator dropped it
ALTER TABLE retries ADD COLUMN domain text COLLATE "C" GENERATED ALWAYS AS (substring(address FROM '[^@]*$')) STORED;
CREATE INDEX retries_dropped ON retries (tenant) WHERE kept_due IS NOT NULL;

-- How many retry commands each receiving domain of a tenant has had in each minute.
CREATE TABLE pace (
    tenant text COLLATE "C" NOT NULL,
    domain text COLLATE "C" NOT NULL,
    minute timestamptz NOT NULL,
    issued integer NOT NULL,
    PRIMARY KEY (tenant, domain, minute)
);

-- What a tenant has set; without a row, the service's defaults.
CREATE TABLE retry_settings (
    tenant text COLLATE "C" PRIMARY KEY,
    version integer NOT NULL,
    schedule jsonb NOT NULL,                        -- delays, by_reason in seconds; domain_limit
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL
);

-- What operators did with pending retries.
CREATE TABLE interventions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    time timestamptz NOT NULL,
    who text NOT NULL,
    what text COLLATE "C" NOT NULL,
    selection jsonb NOT NULL,
    how_many integer NOT NULL
);
CREATE INDEX interventions_tenant ON interventions (tenant, id);

-- What no rule knows, with its addresses, hosts and numbers taken out: a template is the same text for many bounces.
CREATE TABLE templates (
    tenant text COLLATE "C" NOT NULL,
    template bytea NOT NULL,                        -- half the SHA-256 of its text
    text text NOT NULL,
    seen date NOT NULL,
    PRIMARY KEY (tenant, template)
);
ALTER TABLE verdicts ADD COLUMN template bytea;
CREATE INDEX verdicts_template ON verdicts (tenant, template, time) WHERE template IS NOT NULL;
