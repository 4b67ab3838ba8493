using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Spectre.Console;
using VfioUser;
using VfioUser.Disks;
using VfioUser.Nvme;

namespace Nvme.Cli;

/// <summary>Serves disks to virtual machines until Ctrl-C.</summary>
internal static class Serve
{
    private const long DefaultMemorySize = 1L << 30;

    // a server of a disk may be gone for good
    private static readonly TimeSpan FlushLimit = TimeSpan.FromMinutes(1);

    public static async Task<int> Run(ServeOptions options)
    {
        List<Disk> disks = [];
        try
        {
            await OpenDisks(options, disks);
            return await Run(options, disks);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            await Console.Error.WriteLineAsync($"nvme: {e.Message}");
            return 1;
        }
        finally
        {
            foreach (Disk disk in disks)
                disk.Dispose();
        }
    }

    private static async Task<int> Run(ServeOptions options, List<Disk> disks)
    {
        using CancellationTokenSource stop = new();
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
        using PosixSignalRegistration resized = PosixSignalRegistration.Create(PosixSignal.SIGHUP, UpdateSizes);
        using Controllers controllers = new(disks, options);
        // logs clients and errors to standard error
        using ILoggerFactory loggers = LoggerFactory.Create(logging => logging
            .AddSimpleConsole(line => line.SingleLine = true)
            .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace));
        controllers.Bind(options.Sockets, new() { TrustClientMemory = options.TrustClientMemory, Logger = loggers.CreateLogger("nvme") });
        Console.WriteLine($"{disks.Count} namespace{(disks.Count == 1 ? "" : "s")}, {string.Join(", ", disks.Select(disk => ByteSize.Format(disk.Size)))}, on {string.Join(" and ", options.Sockets)}. QEMU 10.1 or newer attaches it with");
        foreach (VfioUserServer server in controllers.Servers)
            Console.WriteLine($"  {server.QemuArguments}");
        Console.WriteLine("and a guest whose memory is shared: -object memory-backend-memfd,id=ram,size=1G,share=on -machine q35,memory-backend=ram");
        Console.WriteLine("Ctrl-C ends it.");
        try
        {
            Task serving = controllers.RunAsync(stop);
            if (options.View && controllers.Only is { } only)
                await WithView(serving, only);
            else
                await serving;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // serving was cancelled
        }
        return await Flush(disks) ? 0 : 1;

        void UpdateSizes(PosixSignalContext signal)
        {
            signal.Cancel = true;
            foreach (FileDisk disk in disks.OfType<FileDisk>())
                disk.UpdateSize();
        }

        void End(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stop.Cancel();
        }
    }

    // writes that the guest has not flushed must not be lost because this process ends, nor because another disk fails
    private static async Task<bool> Flush(List<Disk> disks)
    {
        bool flushed = true;
        foreach (Disk disk in disks.Where(disk => disk.IsActive))
        {
            try
            {
                await disk.FlushAsync().AsTask().WaitAsync(FlushLimit);
            }
            catch (Exception e) when (e is IOException or TimeoutException)
            {
                await Console.Error.WriteLineAsync($"nvme: {e.Message}");
                flushed = false;
            }
        }
        return flushed;
    }

    // shows the view until serving ends or fails
    private static async Task WithView(Task serving, NvmeController controller)
    {
        using CancellationTokenSource ended = new();
        Task view = new LiveView(controller, AnsiConsole.Console).Show(ended.Token);
        try
        {
            await serving;
        }
        finally
        {
            await ended.CancelAsync();
            await view;
        }
    }

    private static async Task OpenDisks(ServeOptions options, List<Disk> disks)
    {
        if (options.Disks.Count == 0)
            disks.Add(new MemoryDisk(options.Size ?? DefaultMemorySize));
        DiskOptions how = new()
        {
            Size = options.Size,
            IsReadOnly = options.ReadOnly,
            IsIncoming = options.Incoming,
            Cache = options.Cache,
            Log = line => Console.Error.WriteLine($"nvme: {line}"),
        };
        foreach (string address in options.Disks)
            disks.Add(await DiskAddress.Parse(address).OpenAsync(how));
    }
}
