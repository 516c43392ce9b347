export { chosenProfile, unknownProfile } from './chosen-profile.ts'
export { type Profile, type Profiles, profileName, profilesPath, readProfiles, writeProfiles } from './profiles-file.ts'
