-- The client that an enrolment token is for, by its name.
ALTER TABLE "EnrolmentToken" ADD COLUMN "name" TEXT;
