-- What Neovim gets from `kplan lsp`; run by ci/editor/nvim in a copy of drill.yaml.

local patience = 30000
local buffer = vim.api.nvim_get_current_buf()

local function fail(what)
  io.stderr:write('nvim: ' .. what .. '\n')
  vim.cmd('cquit 1')
end

local function run()
  local client = vim.lsp.start_client({ name = 'kplan', cmd = { vim.env.KPLAN, 'lsp' } })
  assert(client, 'the server does not start')
  vim.lsp.buf_attach_client(buffer, client)

  local function diagnostics(count)
    local there = vim.wait(patience, function()
      return vim.lsp.buf_is_attached(buffer, client) and #vim.diagnostic.get(buffer) == count
    end, 20)
    assert(there, count .. ' diagnostics expected, found ' .. vim.inspect(vim.diagnostic.get(buffer)))
    return vim.diagnostic.get(buffer)
  end

  local function ask(method, more)
    local params = vim.tbl_extend('force', vim.lsp.util.make_position_params(0, 'utf-16'), more or {})
    local answers, why = vim.lsp.buf_request_sync(buffer, method, params, patience)
    assert(answers and answers[client], method .. ': ' .. tostring(why))
    assert(answers[client].error == nil, method .. ': ' .. vim.inspect(answers[client].error))
    return answers[client].result
  end

  local function go(line, text)
    local written = vim.api.nvim_buf_get_lines(buffer, line - 1, line, true)[1]
    local column = written:find(text, 1, true)
    vim.api.nvim_win_set_cursor(0, { line, column })
  end

  local found = diagnostics(1)[1]
  assert(found.lnum == 6 and found.col == 4, 'the place of the mistake: ' .. vim.inspect(found))
  assert(found.message:find('kill_broker', 1, true), found.message)

  go(7, 'kil_broker')
  local range = { start = { line = 6, character = 4 }, ['end'] = { line = 6, character = 14 } }
  local actions = ask('textDocument/codeAction', { range = range, context = { diagnostics = {} } })
  assert(actions[1].title == 'Replace `kil_broker` by `kill_broker`', vim.inspect(actions))
  vim.lsp.util.apply_workspace_edit(actions[1].edit, 'utf-16')
  diagnostics(0)
  local line = vim.api.nvim_buf_get_lines(buffer, 6, 7, true)[1]
  assert(line == '  - kill_broker: { leader_of: orders/0 }', line)

  go(7, 'kill_broker')
  local hover = ask('textDocument/hover')
  assert(hover.contents.value:find('# kill_broker (step)', 1, true), vim.inspect(hover))

  go(7, 'orders/0')
  local definition = ask('textDocument/definition')
  assert(definition[1].range.start.line == 4, vim.inspect(definition))

  local renamed = ask('textDocument/rename', { newName = 'sales' })
  vim.lsp.util.apply_workspace_edit(renamed, 'utf-16')
  local text = table.concat(vim.api.nvim_buf_get_lines(buffer, 0, -1, true), '\n')
  local _, count = text:gsub('sales', '')
  assert(count == 3 and not text:find('orders', 1, true), text)
  diagnostics(0)

  vim.api.nvim_buf_set_lines(buffer, 7, 7, true, { '  - start_broker: ran' })
  vim.api.nvim_win_set_cursor(0, { 8, #'  - start_broker: ran' })
  local labels = {}
  for _, item in ipairs(ask('textDocument/completion').items) do
    labels[item.label] = true
  end
  assert(labels.random and labels['2'] and labels.same_as, vim.inspect(labels))

  vim.lsp.stop_client(client)
end

local good, why = pcall(run)
if not good then
  fail(why)
else
  vim.cmd('qall!')
end
