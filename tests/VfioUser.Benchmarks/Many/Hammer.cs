using System.Diagnostics;
using System.Globalization;

namespace VfioUser.Benchmarks;

/// <summary>A process that attaches to devices, all at once, and then keeps some of them busy: each of these has a read to answer at any
/// time, until the input ends.</summary>
internal static class Hammer
{
    /// <param name="folder">Where the sockets are.</param>
    /// <param name="first">The number of the first device.</param>
    /// <param name="count">How many to attach to.</param>
    /// <param name="busy">How many of them to keep busy; the others stay idle.</param>
    public static void Run(string folder, int first, int count, int busy)
    {
        string[] paths = [.. Enumerable.Range(first, count).Select(device => DevicesProcess.PathOf(folder, device))];
        // what is compiled before the first client is none of the storm's time
        if (count > 0)
            new ManyClient(paths[0]).Dispose();
        long start = Stopwatch.GetTimestamp();
        ManyClient[] clients = ManyClient.AttachAll(paths);
        Console.WriteLine(Stopwatch.GetElapsedTime(start).TotalMilliseconds.ToString(CultureInfo.InvariantCulture));
        // which is asked when it shall begin, and ends when it shall end
        Console.ReadLine();
        using CancellationTokenSource over = new();
        Thread watch = new(() =>
        {
            Console.ReadLine();
            over.Cancel();
        });
        watch.Start();
        clients = clients[..busy];
        // so that what is measured does not wait for its client's core
        Bare.StepBack();
        foreach (ManyClient client in clients)
            client.Ask();
        Console.WriteLine("hammering");
        while (!over.IsCancellationRequested)
        {
            foreach (ManyClient client in clients)
            {
                client.Hear();
                client.Ask();
            }
        }
    }
}
