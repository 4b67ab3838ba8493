using System.Diagnostics;
using VfioUser.Disks;

namespace VfioUser.Tests.Ceph;

/// <summary>The cluster that <c>with-ceph</c> has made for these tests: two OSDs that can be killed, and a pool of images on both.</summary>
internal static class CephCluster
{
    /// <summary>How long anything of the cluster may take on a loaded machine.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    /// <summary>Its folder; null if there is none.</summary>
    public static string? Folder => Environment.GetEnvironmentVariable("VFIO_USER_CEPH");

    /// <summary>Makes an image.</summary>
    /// <param name="size">In MiB.</param>
    /// <returns>Its name.</returns>
    public static async Task<string> CreateImage(int size, params string[] arguments)
    {
        string name = Path.GetRandomFileName();
        await Run("rbd", ["create", "vm/" + name, "--size", $"{size}M", .. arguments]);
        return name;
    }

    public static Task Resize(string image, int size) => Run("rbd", ["resize", "vm/" + image, "--size", $"{size}M", "--allow-shrink", "--no-progress"]);

    /// <summary>As a guest's disk is named: by a user that may use no more than images of the pool.</summary>
    public static string AddressOf(string image, string options = "") => $"rbd:vm/{image}:id=guest:keyring={Folder}/guest.keyring{options}";

    public static Task<RbdDisk> Open(string image, RbdDiskOptions? options = null) =>
        RbdDisk.OpenAsync(AddressOf(image), (options ?? new RbdDiskOptions()) with { ConnectTimeout = Limit }).WaitAsync(Limit);

    /// <summary>Kills an OSD, and returns when the cluster knows.</summary>
    public static Task KillOsd(int number) => Run($"{Folder}/osd", ["kill", $"{number}"]);

    public static Task StartOsd(int number) => Run($"{Folder}/osd", ["start", $"{number}"]);

    /// <summary>Returns when each object is on both OSDs.</summary>
    public static Task WaitUntilClean() => Run($"{Folder}/osd", ["wait"]);

    public static async Task Run(string program, string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { UseShellExecute = false, RedirectStandardError = true })!;
        string errors = await process.StandardError.ReadToEndAsync().WaitAsync(Limit);
        await process.WaitForExitAsync().WaitAsync(Limit);
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: {errors}");
    }
}
