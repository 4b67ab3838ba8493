using System.CommandLine;
using VfioUser.Tool.CommandLine;

namespace VfioUser.Tool.Inspecting;

/// <summary><c>vfio-user top</c>: several servers in a table that is refreshed.</summary>
internal static class TopCommand
{
    private const double LongestInterval = 86400;

    public static Command Create(Terminal terminal)
    {
        Command command = new("top", "Shows what several servers do, in a table that is refreshed until Ctrl-C");
        Argument<string[]> sockets = new("SOCKET") { Description = "The servers' inspection sockets: paths, or @name for abstract ones", Arity = ArgumentArity.OneOrMore };
        Option<double> interval = new("--interval") { Description = "Seconds between two tables, over which rates are measured", DefaultValueFactory = _ => 1 };
        Option<ulong?> count = Numbers.Option("--count", "End after that many tables; 1 if the output is no terminal");
        Option<double> timeout = ServerArguments.TimeoutOption("Seconds that a server may take to answer");
        command.Add(sockets);
        command.Add(interval);
        command.Add(count);
        command.Add(timeout);
        // not of the command, for which an option that was not given is 0 yet
        interval.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is not (> 0 and <= LongestInterval))
                result.AddError("--interval takes seconds above 0, a day at most.");
        });
        count.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<ulong?>() == 0)
                result.AddError("--count takes a number from 1.");
        });
        command.SetAction(parsed =>
        {
            ulong? tables = parsed.GetValue(count) ?? (terminal.IsInteractive ? null : 1);
            using CancellationTokenSource end = terminal.UntilEnded();
            List<TopServer> servers = [.. parsed.GetRequiredValue(sockets).Select(socket => new TopServer(socket, TimeSpan.FromSeconds(parsed.GetValue(timeout)), end.Token))];
            try
            {
                return Run(terminal, servers, TimeSpan.FromSeconds(parsed.GetValue(interval)), tables, end.Token);
            }
            finally
            {
                servers.ForEach(server => server.Dispose());
            }
        });
        return command;
    }

    private static int Run(Terminal terminal, List<TopServer> servers, TimeSpan interval, ulong? tables, CancellationToken end)
    {
        servers.ForEach(server => server.Poll());
        for (ulong done = 0; done != tables; done++)
        {
            if (end.WaitHandle.WaitOne(interval))
                return tables is null ? ExitCode.Success : ExitCode.Interrupted;
            servers.ForEach(server => server.Poll());
            if (terminal.IsInteractive)
                terminal.Out.Write("\e[H\e[J"); // to the upper left corner, and erase from there
            else if (done > 0)
                terminal.Out.WriteLine();
            TextTable table = new(TopRow.Head);
            servers.ForEach(server => table.Add(server.Row()));
            table.WriteTo(terminal);
        }
        return servers.Exists(server => server.Problem is null) ? ExitCode.Success : ExitCode.Failure;
    }

    /// <summary>A server of the table; connects again after a failure.</summary>
    private sealed class TopServer(string socket, TimeSpan timeout, CancellationToken stop) : IDisposable
    {
        private InspectionClient? _client;
        private TopSample? _before;
        private TopSample? _now;

        /// <summary>Why it does not answer; null if it does.</summary>
        public string? Problem { get; private set; }

        public void Poll()
        {
            try
            {
                _client ??= InspectionClient.Connect(socket, timeout, stop);
                (_before, _now) = (_now, TopSample.Take(_client));
                Problem = null;
            }
            catch (Exception e) when (e is ToolException or IOException && !stop.IsCancellationRequested)
            {
                Dispose();
                (_before, _now, Problem) = (null, null, e.Message);
            }
        }

        public string[] Row() => _now is null ? [socket, Problem ?? ""] : TopRow.Between(_before ?? _now, _now);

        public void Dispose()
        {
            _client?.Dispose();
            _client = null;
        }
    }
}
