// Makes a compute pipeline of each SPIR-V module that standard input names, on the first Vulkan device, and prints what its
// driver says of the code: a line "NAME\tSTATISTIC\tVALUE" each. The code itself goes into NAME.asm in the folder that the
// first argument names.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vulkan/vulkan.h>

#define MOST 32
#define CHECK(call) check(call, #call)

static void check(VkResult result, const char *call) {
    if (result == VK_SUCCESS) return;
    fprintf(stderr, "%.60s: VkResult %d\n", call, result);
    exit(1);
}

static VkDevice device;
static PFN_vkGetPipelineExecutableStatisticsKHR get_statistics;
static PFN_vkGetPipelineExecutableInternalRepresentationsKHR get_representations;

static void open_device(void) {
    VkApplicationInfo application = {VK_STRUCTURE_TYPE_APPLICATION_INFO, .apiVersion = VK_API_VERSION_1_3};
    VkInstanceCreateInfo instance_info = {VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &application};
    VkInstance instance;
    CHECK(vkCreateInstance(&instance_info, NULL, &instance));
    VkPhysicalDevice physical;
    uint32_t count = 1;
    VkResult found = vkEnumeratePhysicalDevices(instance, &count, &physical);
    if (found < 0 || !count) check(VK_ERROR_INITIALIZATION_FAILED, "vkEnumeratePhysicalDevices");
    VkPhysicalDeviceProperties properties;
    vkGetPhysicalDeviceProperties(physical, &properties);
    fprintf(stderr, "%s\n", properties.deviceName);

    VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR executable = {
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR};
    VkPhysicalDeviceVulkan12Features features12 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES, &executable};
    VkPhysicalDeviceFeatures2 features = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, &features12};
    vkGetPhysicalDeviceFeatures2(physical, &features);
    float priority = 1;
    VkDeviceQueueCreateInfo queue = {
        VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO, .queueCount = 1, .pQueuePriorities = &priority};
    const char *extension = VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME;
    VkDeviceCreateInfo info = {
        VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, &features,
        .queueCreateInfoCount = 1, .pQueueCreateInfos = &queue,
        .enabledExtensionCount = 1, .ppEnabledExtensionNames = &extension};
    CHECK(vkCreateDevice(physical, &info, NULL, &device));
    get_statistics = (void *)vkGetDeviceProcAddr(device, "vkGetPipelineExecutableStatisticsKHR");
    get_representations = (void *)vkGetDeviceProcAddr(device, "vkGetPipelineExecutableInternalRepresentationsKHR");
}

// The module's buffers, as a layout of its one descriptor set.
static VkDescriptorSetLayout layout_of(const uint32_t *code, size_t words) {
    VkDescriptorSetLayoutBinding bindings[MOST] = {0};
    uint32_t variables[MOST], count = 0;
    for (size_t at = 5; at < words && count < MOST; at += code[at] >> 16) {
        if ((code[at] & 0xffff) == 71 && code[at + 2] == 33) { // OpDecorate, Binding
            variables[count] = code[at + 1];
            bindings[count].binding = code[at + 3];
            bindings[count].descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
            bindings[count].descriptorCount = 1;
            bindings[count++].stageFlags = VK_SHADER_STAGE_COMPUTE_BIT;
        }
        if ((code[at] & 0xffff) == 59 && code[at + 3] == 2) // OpVariable, Uniform
            for (uint32_t i = 0; i < count; i++)
                if (variables[i] == code[at + 2]) bindings[i].descriptorType = VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER;
    }
    VkDescriptorSetLayoutCreateInfo info = {
        VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO, .bindingCount = count, .pBindings = bindings};
    VkDescriptorSetLayout layout;
    CHECK(vkCreateDescriptorSetLayout(device, &info, NULL, &layout));
    return layout;
}

static VkPipeline pipeline_of(const uint32_t *code, size_t words) {
    VkShaderModuleCreateInfo module_info = {
        VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = words * 4, .pCode = code};
    VkShaderModule module;
    CHECK(vkCreateShaderModule(device, &module_info, NULL, &module));
    VkDescriptorSetLayout set = layout_of(code, words);
    VkPipelineLayoutCreateInfo layout_info = {
        VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO, .setLayoutCount = 1, .pSetLayouts = &set};
    VkPipelineLayout layout;
    CHECK(vkCreatePipelineLayout(device, &layout_info, NULL, &layout));
    VkComputePipelineCreateInfo info = {
        VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .flags = VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR |
                 VK_PIPELINE_CREATE_CAPTURE_INTERNAL_REPRESENTATIONS_BIT_KHR,
        .stage = {VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT, .module = module, .pName = "main"},
        .layout = layout};
    VkPipeline pipeline;
    CHECK(vkCreateComputePipelines(device, VK_NULL_HANDLE, 1, &info, NULL, &pipeline));
    return pipeline;
}

static void print_statistics(const char *name, const VkPipelineExecutableInfoKHR *executable) {
    VkPipelineExecutableStatisticKHR statistics[MOST] = {0};
    uint32_t count = MOST;
    for (int i = 0; i < MOST; i++) statistics[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR;
    CHECK(get_statistics(device, executable, &count, statistics));
    for (uint32_t i = 0; i < count; i++)
        printf("%s\t%s\t%llu\n", name, statistics[i].name, (unsigned long long)statistics[i].value.u64);
}

static void write_assembly(const char *path, const VkPipelineExecutableInfoKHR *executable) {
    VkPipelineExecutableInternalRepresentationKHR texts[MOST] = {0};
    uint32_t count = MOST;
    for (int i = 0; i < MOST; i++) texts[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INTERNAL_REPRESENTATION_KHR;
    CHECK(get_representations(device, executable, &count, texts));
    for (uint32_t i = 0; i < count; i++) texts[i].pData = malloc(texts[i].dataSize);
    CHECK(get_representations(device, executable, &count, texts));
    for (uint32_t i = 0; i < count; i++) {
        if (strstr(texts[i].name, "ssembly")) {
            FILE *file = fopen(path, "w");
            if (!file || fputs(texts[i].pData, file) < 0 || fclose(file)) check(VK_ERROR_UNKNOWN, path);
        }
        free(texts[i].pData);
    }
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    open_device();
    char path[4096], out[8192];
    while (fgets(path, sizeof path, stdin)) {
        path[strcspn(path, "\n")] = 0;
        FILE *file = fopen(path, "rb");
        static uint32_t code[1 << 20];
        size_t words = file ? fread(code, 4, sizeof code / 4, file) : 0;
        if (words < 5) check(VK_ERROR_UNKNOWN, path);
        fclose(file);
        const char *name = strrchr(path, '/') + 1;
        VkPipelineExecutableInfoKHR executable = {
            VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, .pipeline = pipeline_of(code, words)};
        print_statistics(name, &executable);
        snprintf(out, sizeof out, "%s/%s.asm", argv[1], name);
        write_assembly(out, &executable);
        vkDestroyPipeline(device, executable.pipeline, NULL);
    }
    return 0;
}
