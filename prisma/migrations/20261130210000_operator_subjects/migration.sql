-- Operators who sign in by an OpenID provider: who they are there.
ALTER TABLE "Operator" ADD COLUMN "issuer" TEXT, ADD COLUMN "subject" TEXT;

-- CreateIndex
CREATE UNIQUE INDEX "Operator_issuer_subject_key" ON "Operator"("issuer", "subject");
