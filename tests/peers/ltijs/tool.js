// A tool made with ltijs, a program of other people, to be launched by the practice LMS.
//
//     NODE_PATH=…/node_modules node tool.js '{"port": 8802, "socket": "/folder/of/postgres", "platform": {…}}'
//
// Each launch answers JSON: who came, and what became of the things that the link's custom parameter `do` names.
const { readFileSync } = require('fs')
const path = require('path')
const { Provider: lti } = require('ltijs')
const Database = require('ltijs-sequelize')

const wish = JSON.parse(process.argv[2])
const storage = new Database('postgres', 'postgres', '', { host: wish.socket, dialect: 'postgres', logging: false })

const work = {
  async roster (token, points) {
    const { members } = await lti.NamesAndRoles.getMembers(token, { limit: 10, pages: 10 })
    return members.map(({ user_id, roles, status, name }) => ({ user_id, roles, status, name }))
  },
  async score (token, points) {
    const { endpoint } = token.platformContext
    let column = endpoint.lineitem
    if (!column) {
      const { lineItems } = await lti.Grade.getLineItems(token, { resourceLinkId: true })
      column = lineItems[0].id
    }
    const score = { userId: token.user, scoreGiven: points, scoreMaximum: 20 }
    const sent = await lti.Grade.submitScore(token, column, { ...score, activityProgress: 'Completed', gradingProgress: 'FullyGraded' })
    const { scores } = await lti.Grade.getScores(token, column, { userId: token.user })
    return { sent: sent.scoreGiven, results: scores }
  },
  async column (token, points) {
    const made = await lti.Grade.createLineItem(token, { scoreMaximum: 30, label: 'Made by ltijs', resourceId: 'essay', tag: 'draft' })
    const { lineItems } = await lti.Grade.getLineItems(token, { tag: 'draft' })
    const read = await lti.Grade.getLineItemById(token, made.id)
    await lti.Grade.updateLineItemById(token, made.id, { label: 'Renamed by ltijs', scoreMaximum: 40 })
    const renamed = await lti.Grade.getLineItemById(token, made.id)
    await lti.Grade.deleteLineItemById(token, made.id)
    const left = await lti.Grade.getLineItems(token, { tag: 'draft' })
    return { listed: lineItems.length, label: read.label, renamed: renamed.label, maximum: renamed.scoreMaximum, left: left.lineItems.length }
  }
}

lti.setup('a-key-of-this-test-tool-alone', { plugin: storage }, {
  appRoute: '/launch',
  loginRoute: '/login',
  keysetRoute: '/keys',
  cookies: { secure: false, sameSite: '' },
  dynReg: { url: `http://127.0.0.1:${wish.port}`, name: 'ltijs by itself', autoActivate: true }
})

lti.onConnect(async (token, request, response) => {
  const { context, resource, roles, custom = {} } = token.platformContext
  const said = { user: token.user, name: token.userInfo.name, email: token.userInfo.email, roles, custom, done: {} }
  Object.assign(said, { context: context && context.id, link: resource && resource.id })
  for (const name of (custom.do || '').split(',').filter(Boolean)) {
    try {
      said.done[name] = await work[name](token, Number(custom.points || 0))
    } catch (error) {
      said.done[name] = { error: `${error.message} ${error.response ? error.response.statusCode : ''}` }
    }
  }
  return response.json(said)
})

lti.onDeepLinking(async (token, request, response) => {
  const items = [1, 2].map(number => ({
    type: 'ltiResourceLink',
    title: `Chosen in ltijs ${number}`,
    url: `http://127.0.0.1:${wish.port}/launch`,
    custom: { do: 'score', points: String(number * 5) },
    lineItem: { scoreMaximum: 20, label: `Column ${number}`, resourceId: `item-${number}` }
  }))
  return response.send(await lti.DeepLinking.createDeepLinkingForm(token, items, { message: 'Two were chosen' }))
})

lti.whitelist('/about')
lti.app.get('/about', (request, response) => {
  const versions = { Node: process.versions.node }
  for (const name of ['ltijs', 'ltijs-sequelize']) {
    const file = path.join(process.env.NODE_PATH, name, 'package.json')
    versions[name] = JSON.parse(readFileSync(file)).version
  }
  response.json(versions)
})

async function begin () {
  await lti.deploy({ port: wish.port, silent: true })
  const { issuer, client_id: clientId, auth_url: auth, token_url: token, keyset_url: keys } = wish.platform
  await lti.registerPlatform({
    url: issuer,
    name: 'Practice LMS',
    clientId,
    authenticationEndpoint: auth,
    accesstokenEndpoint: token,
    authConfig: { method: 'JWK_SET', key: keys }
  })
  console.log('ready')
}

begin().catch(error => {
  console.error(error)
  process.exit(1)
})
