using System.CommandLine;
using System.CommandLine.Parsing;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Framebuffer.Cli;

/// <summary>The command line: demo and serve.</summary>
internal static class CommandLine
{
    public static RootCommand Create() => new("A display for virtual machines, whose screen is a page in the browser.")
    {
        Drawing(),
        Serving(),
    };

    private static Command Drawing()
    {
        Option<Uri> url = Url();
        Option<int?> seconds = new("--seconds") { Description = "How long; until Ctrl-C when not given." };
        seconds.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int?>() is < 1 or > 86_400)
                result.AddError("--seconds is from 1 to 86400.");
        });
        Command demo = new("demo", "Serves a display and draws on it as a guest would.") { url, seconds };
        demo.SetAction((parsed, _) => UntilSignal(stop =>
            Demo.RunAsync(parsed.GetRequiredValue(url), parsed.GetValue(seconds) is { } count ? TimeSpan.FromSeconds(count) : Timeout.InfiniteTimeSpan, stop)));
        return demo;
    }

    private static Command Serving()
    {
        Argument<string> socket = new("SOCKET") { Description = "Path of the socket that the virtual machine connects to." };
        Option<Uri> url = Url();
        Option<bool> trust = new("--trust-client-memory") { Description = "Map the machine's memory even if its file could shrink." };
        Command serve = new("serve", "Serves a display until Ctrl-C.") { socket, url, trust };
        serve.SetAction((parsed, _) => UntilSignal(stop =>
            Serve.RunAsync(parsed.GetRequiredValue(socket), parsed.GetRequiredValue(url), parsed.GetValue(trust), stop)));
        return serve;
    }

    private static Option<Uri> Url() => new("--url")
    {
        Description = "URL of the page. Anybody who can reach it sees the screen.",
        DefaultValueFactory = _ => new Uri("http://127.0.0.1:8080"),
        CustomParser = ParseUrl,
    };

    private static Uri? ParseUrl(ArgumentResult result)
    {
        string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        if (Uri.TryCreate(text, UriKind.Absolute, out Uri? url) && url is { Scheme: "http", PathAndQuery: "/" }
            && (url.HostNameType is UriHostNameType.IPv4 or UriHostNameType.IPv6 || url.Host is "localhost"))
        {
            return url;
        }
        // with a host name Kestrel would listen on every address of this host
        result.AddError($"'{text}' is no address such as http://127.0.0.1:8080 or http://localhost:8080.");
        return null;
    }

    private static async Task<int> UntilSignal(Func<CancellationToken, Task> run)
    {
        using CancellationTokenSource stop = new();
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
        try
        {
            await run(stop.Token);
            return 0;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return 0;
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            await Console.Error.WriteLineAsync($"framebuffer: {e.Message}");
            return 1;
        }

        void End(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stop.Cancel();
        }
    }
}
