using System.Diagnostics;
using System.Globalization;
using Spectre.Console;
using Spectre.Console.Rendering;
using VfioUser.Nvme;

namespace Nvme.Cli;

/// <summary>Shows rates and queues of a controller, updated in place on a terminal.</summary>
internal sealed class LiveView(NvmeController controller, IAnsiConsole console)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);

    private readonly Dictionary<int, long> _commands = [];
    private long _reads, _writes, _bytesRead, _bytesWritten;
    private long _looked = Stopwatch.GetTimestamp();

    /// <summary>Shows them until it is cancelled.</summary>
    public Task Show(CancellationToken stop) => console.Live(Next()).StartAsync(async screen =>
    {
        using PeriodicTimer timer = new(Interval);
        try
        {
            while (await timer.WaitForNextTickAsync(stop))
                screen.UpdateTarget(Next());
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // it was cancelled; the last figures stay on the screen
        }
    });

    /// <summary>The current figures; rates are since the last call.</summary>
    internal IRenderable Next()
    {
        double seconds = Stopwatch.GetElapsedTime(_looked).TotalSeconds;
        _looked = Stopwatch.GetTimestamp();
        NvmeStatistics done = controller.Statistics;
        Table rates = new Table().Border(TableBorder.Rounded).AddColumn("").AddColumn(Right("commands/s")).AddColumn(Right("MB/s")).AddColumn(Right("total"));
        rates.AddRow("read", Rate(ref _reads, done.Reads, seconds, 1), Rate(ref _bytesRead, done.BytesRead, seconds, 1e6), Total(done.BytesRead));
        rates.AddRow("write", Rate(ref _writes, done.Writes, seconds, 1), Rate(ref _bytesWritten, done.BytesWritten, seconds, 1e6), Total(done.BytesWritten));
        if (done.MediaErrors > 0)
            rates.Caption(Number(done.MediaErrors) + " commands that the disk failed");

        Table queues = new Table().Border(TableBorder.Rounded)
            .AddColumn("queue").AddColumn(Right("entries")).AddColumn(Right("waiting")).AddColumn(Right("in flight")).AddColumn(Right("commands/s"));
        foreach (NvmeQueueFigures queue in controller.Queues)
        {
            long before = _commands.GetValueOrDefault(queue.Id);
            string rate = Rate(ref before, queue.Commands, seconds, 1);
            _commands[queue.Id] = before;
            queues.AddRow(queue.Id == 0 ? "admin" : Number(queue.Id), Number(queue.Entries), Number(queue.Waiting), Number(queue.InFlight), rate);
        }
        if (queues.Rows.Count == 0)
            queues.Caption("no driver yet");
        return new Rows(rates, queues);
    }

    private static TableColumn Right(string header) => new TableColumn(header).RightAligned();

    // a queue that was created again has a smaller count than before
    private static string Rate(ref long before, long now, double seconds, double unit)
    {
        double rate = Math.Max(0, now - before) / Math.Max(seconds, 0.001) / unit;
        before = now;
        return rate.ToString(unit > 1 ? "N1" : "N0", CultureInfo.InvariantCulture);
    }

    private static string Total(long bytes) => (bytes / 1e9).ToString("N2", CultureInfo.InvariantCulture) + " GB";

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
}
