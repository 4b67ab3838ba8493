using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using VfioUser.Client;

namespace VfioUser.Hosting.Tests;

/// <summary>A generic host, and a folder for its sockets.</summary>
internal sealed class TestHost : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(2);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vfio-user-host-");
    private IHost? _host;

    public TestHost()
    {
        Builder = Host.CreateEmptyApplicationBuilder(settings: null);
        Services.AddSingleton(services => Wiring);
        Services.AddSingleton<Microsoft.Extensions.Logging.ILoggerProvider>(Log);
    }

    public HostApplicationBuilder Builder { get; }

    public IServiceCollection Services => Builder.Services;

    public Wiring Wiring { get; init; } = new();

    public CapturedLog Log { get; } = new();

    public IHost Running => _host ??= Builder.Build();

    public string PathOf(string name) => Path.Combine(_folder.FullName, name);

    public async Task<TestHost> StartAsync()
    {
        await Running.StartAsync().WaitAsync(Timeout);
        return this;
    }

    public Task StopAsync() => Running.StopAsync().WaitAsync(Timeout);

    public VfioUserClient Connect(string name) => VfioUserClient.Connect(PathOf(name));

    public async Task<HealthReportEntry> HealthAsync()
    {
        HealthReport report = await Running.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync();
        return report.Entries["vfio-user"];
    }

    /// <summary>Waits for what happens on another thread.</summary>
    public static async Task Until(Func<Task<bool>> condition, string what)
    {
        using CancellationTokenSource over = new(Timeout);
        using PeriodicTimer look = new(TimeSpan.FromMilliseconds(5));
        while (!await condition())
        {
            over.Token.IsCancellationRequested.Should().BeFalse($"in the end {what}");
            await look.WaitForNextTickAsync();
        }
    }

    public void Dispose()
    {
        _host?.Dispose();
        _folder.Delete(recursive: true);
    }
}
