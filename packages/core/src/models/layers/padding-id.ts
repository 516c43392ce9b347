/** Fills the places after a record's last token. Every id from 0 is a token. */
export const PADDING_ID = -1
