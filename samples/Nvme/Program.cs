using Nvme.Cli;

return await CommandLine.Create().Parse(args).InvokeAsync();
