namespace VfioUser.Benchmarks;

/// <summary>A process that keeps devices busy: each has a read to answer at any time, until the input ends.</summary>
internal static class Hammer
{
    public static void Run(string folder, int first, int count)
    {
        ManyClient[] clients = [.. Enumerable.Range(first, count).Select(device => new ManyClient(DevicesProcess.PathOf(folder, device)))];
        using CancellationTokenSource over = new();
        // which is asked when it shall begin, and ends when it shall end
        Console.WriteLine("attached");
        Console.ReadLine();
        Thread watch = new(() =>
        {
            Console.ReadLine();
            over.Cancel();
        });
        watch.Start();
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
