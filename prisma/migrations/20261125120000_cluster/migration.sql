-- Several coordinators on one database: who is alive, who drives which run, and who is connected where.
CREATE TABLE "Coordinator" (
    "id" UUID NOT NULL,
    "shared" TEXT NOT NULL,
    "expiresAt" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "Coordinator_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "RunLease" (
    "runId" UUID NOT NULL,
    "owner" UUID NOT NULL,
    "epoch" INTEGER NOT NULL,
    "expiresAt" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "RunLease_pkey" PRIMARY KEY ("runId")
);

CREATE INDEX "RunLease_owner_idx" ON "RunLease"("owner");

ALTER TABLE "RunLease" ADD CONSTRAINT "RunLease_runId_fkey" FOREIGN KEY ("runId") REFERENCES "Run"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

CREATE TABLE "Connection" (
    "clientId" UUID NOT NULL,
    "connectionId" UUID NOT NULL,
    "coordinatorId" UUID NOT NULL,

    CONSTRAINT "Connection_pkey" PRIMARY KEY ("clientId")
);

CREATE INDEX "Connection_coordinatorId_idx" ON "Connection"("coordinatorId");

ALTER TABLE "Connection" ADD CONSTRAINT "Connection_clientId_fkey" FOREIGN KEY ("clientId") REFERENCES "Client"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

ALTER TABLE "Connection" ADD CONSTRAINT "Connection_coordinatorId_fkey" FOREIGN KEY ("coordinatorId") REFERENCES "Coordinator"("id") ON DELETE CASCADE ON UPDATE CASCADE;

CREATE TABLE "SpentNonce" (
    "nonce" TEXT NOT NULL,
    "expiresAt" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "SpentNonce_pkey" PRIMARY KEY ("nonce")
);

CREATE INDEX "SpentNonce_expiresAt_idx" ON "SpentNonce"("expiresAt");

-- As the PostgreSQL adapter of Socket.IO wants it: messages that are too long for a notification.
CREATE TABLE "socket_io_attachments" (
    "id" BIGSERIAL NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "payload" BYTEA NOT NULL,

    CONSTRAINT "socket_io_attachments_pkey" PRIMARY KEY ("id")
);

CREATE INDEX "socket_io_attachments_created_at_idx" ON "socket_io_attachments"("created_at");
