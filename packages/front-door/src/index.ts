export { chooseUpstream, type RequestHead, type Upstream } from './choose-upstream.ts'
export { parseFrontDoorConfig, readFrontDoorConfig, type FrontDoorConfig } from './config.ts'
export { createFrontDoor, type FrontDoor } from './front-door.ts'
export { frontDoorFigures, type FrontDoorFigures } from './front-door-figures.ts'
