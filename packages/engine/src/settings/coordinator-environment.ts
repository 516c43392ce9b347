/**
 * The environment variable of each setting of a coordinator. They stand apart from it, because a site knows them as
 * well: of a name that it does not read, it says whether it is misspelt.
 */
export const ENVIRONMENT = {
  host: 'FEDSVD_HOST',
  port: 'FEDSVD_PORT',
  stateDir: 'FEDSVD_STATE_DIR',
  tlsCert: 'FEDSVD_TLS_CERT',
  tlsKey: 'FEDSVD_TLS_KEY',
  tlsClientCa: 'FEDSVD_TLS_CLIENT_CA',
  databaseUrl: 'DATABASE_URL',
  operatorToken: 'FEDSVD_OPERATOR_TOKEN',
  uploadSecret: 'FEDSVD_UPLOAD_SECRET',
  blobs: 'FEDSVD_BLOBS',
  s3Endpoint: 'AWS_ENDPOINT_URL_S3',
  s3Region: 'AWS_REGION',
  s3AccessKeyId: 'AWS_ACCESS_KEY_ID',
  s3SecretAccessKey: 'AWS_SECRET_ACCESS_KEY',
  s3SessionToken: 'AWS_SESSION_TOKEN',
  statementKey: 'FEDSVD_STATEMENT_KEY',
  keepUpdates: 'FEDSVD_KEEP_UPDATES',
  collectSeconds: 'FEDSVD_COLLECT_SECONDS',
  collectGraceSeconds: 'FEDSVD_COLLECT_GRACE_SECONDS',
  leaseSeconds: 'FEDSVD_LEASE_SECONDS',
  holdOut: 'FEDSVD_HOLD_OUT',
  holdOutReading: 'FEDSVD_HOLD_OUT_READING',
  models: 'FEDSVD_MODELS',
  hub: 'FEDSVD_HUB',
  hubToken: 'FEDSVD_HUB_TOKEN',
  extension: 'FEDSVD_EXTENSIONS',
  threads: 'FEDSVD_THREADS',
  runtime: 'FEDSVD_RUNTIME',
  executionProvider: 'FEDSVD_EXECUTION_PROVIDER',
  svdDevice: 'FEDSVD_SVD_DEVICE',
  otlpEndpoint: 'OTEL_EXPORTER_OTLP_ENDPOINT',
  logLevel: 'FEDSVD_LOG_LEVEL',
  gatherSeconds: 'FEDSVD_GATHER_SECONDS',
  detectionSeconds: 'FEDSVD_DETECTION_SECONDS',
  graceSeconds: 'FEDSVD_GRACE_SECONDS',
  requestsPerMinute: 'FEDSVD_REQUESTS_PER_MINUTE',
  refusalsPerMinute: 'FEDSVD_REFUSALS_PER_MINUTE',
  refusedSignInsPerMinute: 'FEDSVD_REFUSED_SIGN_INS_PER_MINUTE',
  transfersPerMinute: 'FEDSVD_TRANSFERS_PER_MINUTE',
  reportsPerMinute: 'FEDSVD_REPORTS_PER_MINUTE',
  headersSeconds: 'FEDSVD_HEADERS_SECONDS',
  requestSeconds: 'FEDSVD_REQUEST_SECONDS',
  idleSeconds: 'FEDSVD_IDLE_SECONDS',
  trustedProxies: 'FEDSVD_TRUSTED_PROXIES',
} as const

/**
 * Settings that may stand in a file: the variable with `_FILE` behind it names it, as secrets of containers are
 * mounted.
 */
export const FROM_FILES = [
  'operatorToken',
  'uploadSecret',
  'statementKey',
  'databaseUrl',
  's3SecretAccessKey',
  's3SessionToken',
  'hubToken',
] as const satisfies readonly (keyof typeof ENVIRONMENT)[]
